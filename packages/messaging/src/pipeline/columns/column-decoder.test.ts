import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ColumnBatch, ColumnValues } from '@smart-whale/interfaces'
import type { RecordBatch, ValuePlace } from '../../transport.ts'
import { batchOf } from '../../../test/support/batch-of.ts'
import { batchDecoder, sliceDecoder } from '../decode-batch.ts'
import { definePipelines } from '../define-pipelines.ts'
import type { PipelineDefinition } from '../pipeline-definition.ts'
import type { SliceRecord } from '../slice-records.ts'
import { columnsDecoder, type ColumnsDecoder } from './column-decoder.ts'

const FIELDS = {
  id: 'uuid',
  time: 'timestamp',
  day: 'date?',
  name: 'string',
  note: 'string?',
  small: 'int32',
  large: 'int64?',
  ratio: 'float64',
  price: 'decimal(9,2)',
  rate: 'decimal(18,6)?',
  open: 'boolean',
  data: 'json?',
} as const

function definitionOf(fields: Readonly<Record<string, string>> = FIELDS, id?: string): PipelineDefinition {
  const [definition] = definePipelines([{ topic: 'rides', fields, time: 'time', sinks: ['clickhouse'], ...(id === undefined ? {} : { id }) }])
  return definition as PipelineDefinition
}

/** Reads columns back into the rows that they stand for. */
function rowsOf({ rows, columns }: ColumnBatch): Record<string, unknown>[] {
  const cursors = columns.map(() => 0)
  return Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(
      columns.map((column, index) => {
        const { value, next } = cellOf(column, cursors[index] as number)
        cursors[index] = column.isConstant ? 0 : next
        return [column.name, column.nulls?.[row] === 1 ? null : value]
      }),
    ),
  )
}

function cellOf({ layout, bytes, scale }: ColumnValues, at: number): { value: unknown; next: number } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (layout === 'text') {
    let length = 0
    let start = at
    for (let shift = 0; ; shift += 7) {
      const byte = buffer[start++] as number
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    return { value: buffer.subarray(start, start + length).toString('utf8'), next: start + length }
  }
  if (layout === 'int32') return { value: buffer.readInt32LE(at), next: at + 4 }
  if (layout === 'days') return { value: new Date(buffer.readInt32LE(at) * 86_400_000).toISOString().slice(0, 10), next: at + 4 }
  if (layout === 'boolean') return { value: buffer[at] === 1, next: at + 1 }
  if (layout === 'float64') return { value: buffer.readDoubleLE(at), next: at + 8 }
  if (layout === 'milliseconds') return { value: new Date(Number(buffer.readBigInt64LE(at))), next: at + 8 }
  if (layout === 'uuid') return { value: buffer.toString('hex', at, at + 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'), next: at + 16 }
  if (layout === 'decimal32') return { value: decimalOf(BigInt(buffer.readInt32LE(at)), scale), next: at + 4 }
  return { value: layout === 'decimal64' ? decimalOf(buffer.readBigInt64LE(at), scale) : buffer.readBigInt64LE(at), next: at + 8 }
}

function decimalOf(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const text = `${digits.slice(0, -scale)}.${digits.slice(-scale)}`.replace(/\.?0+$/, '')
  return unscaled < 0n ? `-${text}` : text
}

/** The value between bytes that would go on with it, as it lies between other records in what a broker sends. */
function placeOf(batch: RecordBatch, index: number): ValuePlace {
  const value = batch.valueAt(index) as Uint8Array
  return { bytes: Buffer.concat([Buffer.from('{"'), value, Buffer.from('"}]}"')]), start: 2, end: 2 + value.length, offset: index }
}

/** What the columns have of each value, and what the row decoder says of it. */
function bothWays(definition: PipelineDefinition, values: readonly (Uint8Array | string)[]): { byColumns: unknown[]; byRows: unknown[]; noJson: unknown[] } {
  const batch = batchOf(values.map((value) => ({ value })))
  const columns = columnsDecoder(definition, null) as ColumnsDecoder
  const taken: number[] = []
  const noJson: number[] = []
  columns.begin()
  for (let index = 0; index < batch.length; index++) {
    if (columns.addEvent(placeOf(batch, index), batch)) taken.push(index)
    else if (columns.isNoJson) noJson.push(index)
  }
  const records = batchDecoder(definition)(batch)
  return { byColumns: rowsOf(columns.collected()), byRows: taken.map((index) => records[index]?.row ?? records[index]?.refusal), noJson: noJson.map((index) => records[index]?.refusal?.reason) }
}

const EVENT = {
  id: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  time: '2026-01-31T12:34:56.789Z',
  day: '2028-02-29',
  name: 'Søren 🐳',
  note: null,
  small: -5,
  large: 123456789012345680,
  ratio: 307.954,
  price: '126.70',
  rate: 0.5,
  open: true,
  data: ['a', { b: [1, true, null] }],
}

describe('columnsDecoder', () => {
  it('takes plain events, whatever the order of their fields', () => {
    const reversed = Object.fromEntries(Object.entries(EVENT).reverse())

    const { byColumns, byRows } = bothWays(definitionOf(FIELDS, 'id'), [JSON.stringify(EVENT), JSON.stringify(reversed), JSON.stringify({ ...EVENT, id: EVENT.id.toUpperCase(), more: { x: 1 } }, null, 2).replace(/\[[^]*\]/, '[]')])

    expect(byColumns).toHaveLength(3)
    expect(byColumns).toEqual(byRows)
  })

  it('is for definitions alone whose rows are the fields of their events', () => {
    expect(columnsDecoder(definitionOf({ time: 'timestamp', wide: 'decimal(30,2)' }), null)).toBeNull()
    expect(columnsDecoder(definitionOf({ time: 'timestamp', ratio: 'float64' }, 'ratio'), null)).toBeNull()
    const [transformed] = definePipelines([{ topic: 't', fields: { time: 'timestamp' }, time: 'time', transform: [{ copy: { time: 'seen' } }] }])
    expect(columnsDecoder(transformed as PipelineDefinition, null)).toBeNull()
  })

  it('takes a row that was decoded otherwise, as it takes the plain event of it', () => {
    const definition = definitionOf(FIELDS)
    const batch = batchOf([JSON.stringify(EVENT), JSON.stringify({ ...EVENT, day: null, large: null, rate: null, data: null, price: -0.5 })])
    const [plain, decoded] = [columnsDecoder(definition, null), columnsDecoder(definition, null)] as [ColumnsDecoder, ColumnsDecoder]
    plain.begin()
    decoded.begin()

    for (const { index, row } of batchDecoder(definition)(batch)) {
      expect(plain.addEvent(placeOf(batch, index), batch)).toBe(true)
      decoded.addRow(row as Record<string, unknown>, batch)
    }

    expect(decoded.collected()).toEqual(plain.collected())
  })

  it('leaves nothing behind of an event that it does not take', () => {
    const values = [JSON.stringify(EVENT), JSON.stringify({ ...EVENT, data: undefined, open: 1 }), JSON.stringify({ ...EVENT, name: 'a"b' }), JSON.stringify({ ...EVENT, small: 1 })]

    const { byColumns, byRows } = bothWays(definitionOf(FIELDS), values)

    expect(byColumns).toHaveLength(2)
    expect(byColumns).toEqual(byRows)
  })

  it('tells fields that are not declared', () => {
    const told: string[] = []
    const columns = columnsDecoder(definitionOf({ time: 'timestamp' }), (name) => told.push(name)) as ColumnsDecoder
    const batch = batchOf(['{"tip":[1,{"a":"b"}],"time":"2026-01-31T12:34:56Z","größe":{}}'])
    columns.begin()

    columns.addEvent(placeOf(batch, 0), batch)

    expect(told).toEqual(['tip', 'größe'])
  })

  const value = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.jsonValue(),
    fc.uuid(),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString().slice(0, 10)),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    fc.constantFrom('0000-01-01T00:00:00Z', '10000-01-01T00:00:00Z', '2001-02-29T00:00:00Z', '1900-01-01T00:00:00Z', '2299-12-31T00:00:00.000Z', '-0', '00', '1.', '.5', '-0.00', 'NaN', '', '2026-01-31T12:34:56.78xZ', '2026-01-31T12:34:56.x89Z', '2026-01-31T12:34:5xZ', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380aXY', 'ÿ\u07ff\u0800\uffff𐀀\u{10ffff}', 'x'.repeat(300)),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
  )
  const raw = fc.constantFrom('1e400', '-0', '-0.0', '1.50', '0.1', '18446744073709551616', '9223372036854775807', '-9223372036854775808', '9007199254740993', '123456789012345.678', '01', '1.', '+1', 'NaN', '1E5', '[1.0]', '{"1":2,"0":1}', '{"a":1,"a":2}', '{"__proto__":1}', '[ 1 ]', '"\\u0000"', '"\\ud800"')
  const members = fc.tuple(fc.subarray([...Object.entries(EVENT), ['__proto__', { planted: true }] as const, ['more', 1] as const]), fc.dictionary(fc.constantFrom(...Object.keys(FIELDS)), value), fc.dictionary(fc.constantFrom(...Object.keys(FIELDS)), raw))
  const text = members.map(([usual, odd, written]) => {
    const parts = [...usual.map(([name, inner]) => [name, JSON.stringify(inner)]), ...Object.entries(odd).map(([name, inner]) => [name, JSON.stringify(inner)]), ...Object.entries(written)]
    return `{${parts.map(([name, inner]) => `${JSON.stringify(name)}:${inner}`).join(',')}}`
  })
  const damage = fc.record({ kind: fc.constantFrom('none', 'none', 'cut', 'flip', 'insert', 'space'), at: fc.nat({ max: 600 }), byte: fc.nat({ max: 255 }) })

  it('has for every event that it takes the row that the row decoder has, and takes none that it refuses', () => {
    const definition = definitionOf(FIELDS)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof({ weight: 1, arbitrary: text }, { weight: 2, arbitrary: fc.tuple(value, raw, fc.constantFrom(...Object.keys(FIELDS)), fc.boolean()).map(eventWith) }), damage), { maxLength: 8 }), (events) => {
        const { byColumns, byRows, noJson } = bothWays(definition, events.map(([event, how]) => damaged(Buffer.from(event), how)))
        expect(byColumns).toEqual(byRows)
        for (const reason of noJson) expect(reason).toMatch(/^the message is not (?:JSON|valid UTF-8)$/)
      }),
      { numRuns: 2000 },
    )
  })

  it('knows by its first look what is no JSON, wherever that breaks off or goes wrong', () => {
    const whole = JSON.stringify(EVENT)
    const broken = ['', ' ', 'z', `${whole}}`, whole.replace(':', ';'), whole.replace('-5', '-'), whole.replace('-5', '05'), whole.replace('true', 'NaN'), ...Array.from({ length: whole.length - 1 }, (_, length) => whole.slice(0, length + 1))]

    expect(bothWays(definitionOf(), broken).noJson).toEqual(broken.map(() => 'the message is not JSON'))
    // What looks like the usual text by its length may hide where another one ends.
    const hiding = whole.replace(EVENT.time, `\\"${'x'.repeat(19)}","`).replace('"day":', '1":')
    expect(bothWays(definitionOf(), [hiding, whole.slice(1), '[', '1', '"', `{"data":${'['.repeat(40)}`, '{"name":"\\', '{"small":1e'])).toMatchObject({ byColumns: [], noJson: [] })
  })

  it('says why, as the slow reader does', () => {
    const values = ['{"name":', Buffer.concat([Buffer.from('{"name":"'), Buffer.of(0xc3, 0x28)]), '{"name"', null, '[]', JSON.stringify(EVENT)]
    const decoder = sliceDecoder(definitionOf())
    const records: SliceRecord[] = []
    decoder.begin()
    decoder.decode(batchOf(values.map((value) => ({ value }))), records)
    decoder.end()

    expect(records.map(({ refusal }) => refusal?.reason)).toEqual(batchDecoder(definitionOf())(batchOf(values.map((value) => ({ value })))).map(({ refusal }) => refusal?.reason))
  })

  it('answers for any bytes and any depth', () => {
    const columns = columnsDecoder(definitionOf(FIELDS), null) as ColumnsDecoder
    columns.begin()
    const taken = (value: Uint8Array | string): boolean => {
      const batch = batchOf([{ value }])
      return columns.addEvent(placeOf(batch, 0), batch)
    }

    expect(taken(`{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)).toBe(false)
    expect(taken(`{"name":"${'x'.repeat(5_000_000)}`)).toBe(false)
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => !taken(bytes)))
  })
})

/** The usual event with one field changed. */
function eventWith([inner, written, name, isRaw]: [unknown, string, string, boolean]): string {
  const parts = Object.entries(EVENT).map(([field, usual]) => `${JSON.stringify(field)}:${field === name ? (isRaw ? written : JSON.stringify(inner)) : JSON.stringify(usual)}`)
  return `{${parts.join(',')}}`
}

function damaged(bytes: Buffer, { kind, at, byte }: { kind: string; at: number; byte: number }): Buffer {
  const place = bytes.length === 0 ? 0 : at % bytes.length
  if (kind === 'cut') return bytes.subarray(0, place)
  if (kind === 'insert' || kind === 'space') return Buffer.concat([bytes.subarray(0, place), Buffer.of(kind === 'space' ? 0x20 : byte), bytes.subarray(place)])
  if (kind === 'flip' && bytes.length > 0) bytes[place] = (bytes[place] as number) ^ (1 << (byte & 7))
  return bytes
}
