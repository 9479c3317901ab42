import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ColumnBatch, ColumnValues } from './column-batch.ts'
import { pickRows, type RowRange } from './pick-rows.ts'

interface SampleRow {
  readonly text: string
  readonly small: number
  readonly large: bigint
  readonly perhaps: boolean | null
}

const column = (name: string, layout: ColumnValues['layout'], bytes: Uint8Array, nulls: Uint8Array | null = null): ColumnValues => ({ name, layout, precision: 0, scale: 0, bytes, isConstant: false, nulls })

function lengthOf(text: Buffer): Buffer {
  const bytes: number[] = []
  let left = text.length
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) + 0x80)
  return Buffer.from([...bytes, left])
}

function textBytes(texts: readonly string[]): Buffer {
  return Buffer.concat(texts.flatMap((text) => [lengthOf(Buffer.from(text)), Buffer.from(text)]))
}

function batchOf(rows: readonly SampleRow[]): ColumnBatch {
  return {
    rows: rows.length,
    columns: [
      column('text', 'text', textBytes(rows.map(({ text }) => text))),
      column('small', 'int32', new Uint8Array(Int32Array.from(rows, ({ small }) => small).buffer)),
      column('large', 'int64', new Uint8Array(BigInt64Array.from(rows, ({ large }) => large).buffer)),
      column('perhaps', 'boolean', Uint8Array.from(rows, ({ perhaps }) => Number(perhaps === true)), Uint8Array.from(rows, ({ perhaps }) => Number(perhaps === null))),
      { ...column('topic', 'text', textBytes(['events'])), isConstant: true },
    ],
  }
}

const row = fc.record({
  text: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.integer({ min: 120, max: 20_000 }).map((length) => 'é'.repeat(length))),
  small: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
  large: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  perhaps: fc.option(fc.boolean()),
})

function rangesOf(kept: readonly boolean[]): RowRange[] {
  const ranges: { from: number; to: number }[] = []
  kept.forEach((isKept, index) => {
    if (!isKept) return
    const last = ranges.at(-1)
    if (last?.to === index) last.to = index + 1
    else ranges.push({ from: index, to: index + 1 })
  })
  return ranges
}

describe('pickRows', () => {
  it('has what a batch of those rows alone would have', () => {
    const kept = fc.array(fc.tuple(row, fc.boolean()), { maxLength: 30 })
    fc.assert(
      fc.property(kept, (rows) => {
        const picked = pickRows(batchOf(rows.map(([sample]) => sample)), rangesOf(rows.map(([, isKept]) => isKept)))

        const expected = batchOf(rows.flatMap(([sample, isKept]) => (isKept ? [sample] : [])))
        const plain = ({ rows: count, columns }: ColumnBatch): unknown => ({ count, columns: columns.map((values) => ({ ...values, bytes: [...values.bytes], nulls: values.nulls && [...values.nulls] })) })
        expect(plain(picked)).toEqual(plain(expected))
      }),
    )
  })

  it('keeps nothing of what it is picked from', () => {
    const batch = batchOf([{ text: 'first', small: 1, large: 1n, perhaps: true }])
    const picked = pickRows(batch, [{ from: 0, to: 1 }])

    for (const { bytes, isConstant } of batch.columns) if (!isConstant) bytes.fill(0xff)

    expect(picked.columns[0]?.bytes.toString()).toBe('\u0005first')
  })
})
