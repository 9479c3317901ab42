import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutSlices, type KnownSlice, type Slice } from './cut-slices.ts'
import type { SliceRow } from './slice-rows.ts'

const rowAt = (moment: bigint, index: number): SliceRow => ({ moment, line: `${moment}-${index}`, row: { timestamp: String(moment), value: null, metadata: '' } })

async function cut(moments: readonly bigint[], start: bigint, known: readonly KnownSlice[], sliceRows: number): Promise<Slice[]> {
  const slices: Slice[] = []
  const sorted = moments.map(rowAt).sort((one, other) => Number(one.moment - other.moment))
  async function* rows(): AsyncIterable<SliceRow> {
    yield* sorted
  }
  for await (const slice of cutSlices(rows(), start, known, sliceRows)) slices.push(slice)
  return slices
}

const moments = fc.array(fc.bigInt({ min: 0n, max: 30n }), { maxLength: 80 })

describe('cutSlices', () => {
  it('has every row in one slice, in which its moment lies; no two slices have a moment in common', async () => {
    await fc.assert(
      fc.asyncProperty(moments, fc.integer({ min: 1, max: 10 }), async (all, sliceRows) => {
        const slices = await cut(all, 0n, [], sliceRows)

        expect(slices.flatMap(({ rows }) => rows.map(({ line }) => line)).sort()).toEqual(all.map((moment, index) => rowAt(moment, index).line).sort())
        for (const [index, { from, to, rows }] of slices.entries()) {
          expect(rows.every(({ moment }) => moment >= from && moment <= to)).toBe(true)
          expect(from).toBe(index === 0 ? 0n : (slices[index - 1]?.to ?? 0n) + 1n)
          const ties = rows.filter(({ moment }) => moment === to).length
          expect(rows.length - ties).toBeLessThan(sliceRows)
        }
      }),
    )
  })

  it('cuts again where it was cut before, whatever has come or gone since, and wherever the range begins', async () => {
    await fc.assert(
      fc.asyncProperty(moments, moments, fc.nat(3), fc.integer({ min: 1, max: 10 }), async (before, after, stride, sliceRows) => {
        const known = (await cut(before, 0n, [], sliceRows)).filter((_slice, index) => index % (stride + 1) === 0).map(({ from, to }): KnownSlice => ({ from, to, checksum: '', state: 'done' }))

        const slices = await cut(after, 0n, known, sliceRows)

        expect(slices.filter((slice) => slice.known !== null).map((slice) => slice.known)).toEqual(known)
        expect(slices.flatMap(({ rows }) => rows)).toHaveLength(after.length)
        for (const [index, { from, to, rows }] of slices.entries()) {
          expect(rows.every(({ moment }) => moment >= from && moment <= to)).toBe(true)
          if (index > 0) expect(from).toBeGreaterThan(slices[index - 1]?.to ?? -1n)
        }
      }),
    )
  })
})
