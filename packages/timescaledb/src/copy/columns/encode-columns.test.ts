import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ColumnLayout, ColumnValues } from '@smart-whale/interfaces'
import { columnBatchOf, decimalText, type GivenColumn, rowsOfColumns } from '../../../test/fixtures/column-batch-of.ts'
import { asJsonText } from '../../drivers/encode-parameter.ts'
import type { TargetColumn } from '../describe-table.ts'
import { encodeRows } from '../encode-rows.ts'
import { findCodec } from '../find-codec.ts'
import { encodeColumns, freeChunks } from './encode-columns.ts'

interface Type {
  readonly name: string
  readonly kind?: string
  readonly modifier?: number
  readonly notNull?: boolean
  readonly generated?: boolean
}

const numeric = (precision: number, scale: number): Type => ({ name: 'numeric', modifier: ((precision << 16) | scale) + 4 })

function target(name: string, { notNull = false, generated = false, ...type }: Type): TargetColumn {
  const complete = { typeId: 0, kind: 'b', modifier: -1, element: null, ...type }
  return { name, sqlType: type.name, notNull, generated, type: complete, codec: findCodec(complete) }
}

/** What both ways make of the same columns. */
function bothWays(rows: number, given: readonly GivenColumn[], types: readonly Type[]): { byColumns: Buffer | null; byRows: () => Buffer } {
  const targets = given.map(({ name }, index) => target(name, types[index] as Type))
  const { columns } = columnBatchOf(rows, given)
  const chunks = encodeColumns(
    { rows },
    targets.map((one, index) => ({ target: one, values: columns[index] as ColumnValues })),
  )
  const marked = rowsOfColumns(rows, given).map((row) => Object.fromEntries(given.map(({ name, isJson }) => [name, isJson === true && typeof row[name] === 'string' ? asJsonText(row[name]) : row[name]])))
  return { byColumns: chunks && Buffer.concat(chunks), byRows: () => Buffer.concat(encodeRows(marked, targets, false).chunks) }
}

const text = fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replaceAll('\0', ''))
const longText = fc.nat({ max: 700 }).map((length) => 'é'.repeat(length))
const time = fc.date({ min: new Date(Date.UTC(-4712, 0, 1)), max: new Date(8.64e15), noInvalidDate: true })
const decimal = (precision: number, scale: number): fc.Arbitrary<string> => fc.bigInt({ min: 1n - 10n ** BigInt(precision), max: 10n ** BigInt(precision) - 1n }).map((value) => decimalText(value, scale))
const smallDecimal = (scale: number): fc.Arbitrary<string> => fc.integer({ min: -20_000, max: 20_000 }).map((value) => decimalText(BigInt(value), scale))

/** Every layout into a type that takes it, with the values that it may have. */
const FORMS: readonly (readonly [layout: ColumnLayout, type: Type, values: fc.Arbitrary<unknown>, more?: Partial<GivenColumn>])[] = [
  ['text', { name: 'text' }, fc.oneof(text, longText)],
  ['text', { name: 'varchar', modifier: 4 + 2000 }, fc.oneof(text, longText)],
  ['text', { name: 'mood', kind: 'e' }, text],
  ['text', { name: 'jsonb' }, fc.jsonValue().map((value) => JSON.stringify(value).replace(/\\u(?:0000|d[89a-f]..)/gi, '')), { isJson: true }],
  ['text', { name: 'json' }, fc.jsonValue().map((value) => JSON.stringify(value).replaceAll('\0', '')), { isJson: true }],
  ['int32', { name: 'int4' }, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
  ['int32', { name: 'int8' }, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
  ['int32', { name: 'int2' }, fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 })],
  ['int64', { name: 'int8' }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ['float64', { name: 'float8' }, fc.double({ noNaN: true })],
  ['boolean', { name: 'bool' }, fc.boolean()],
  ['milliseconds', { name: 'timestamptz' }, time],
  ['milliseconds', { name: 'timestamp' }, time],
  ['days', { name: 'date' }, fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }).map((day) => day.toISOString().slice(0, 10))],
  ['uuid', { name: 'uuid' }, fc.uuid()],
  ['decimal32', numeric(9, 2), fc.oneof(decimal(9, 2), smallDecimal(2)), { precision: 9, scale: 2 }],
  ['decimal32', { name: 'numeric' }, smallDecimal(4), { precision: 9, scale: 4 }],
  ['decimal64', numeric(18, 6), fc.oneof(decimal(18, 6), smallDecimal(6)), { precision: 18, scale: 6 }],
  ['decimal64', { name: 'numeric' }, fc.oneof(decimal(18, 13), smallDecimal(13)), { precision: 18, scale: 13 }],
  ['decimal64', { name: 'numeric' }, fc.oneof(decimal(18, 0), decimal(11, 0)), { precision: 18, scale: 0 }],
]

const columns = (rows: number): fc.Arbitrary<GivenColumn[]> =>
  fc.tuple(
    ...FORMS.map(([layout, , value, more], index) =>
      fc.oneof(
        fc.array(value, { minLength: rows, maxLength: rows }).map((values): GivenColumn => ({ name: `c${index}`, layout, values, ...more })),
        fc.array(fc.option(value), { minLength: rows, maxLength: rows }).map((values): GivenColumn => ({ name: `c${index}`, layout, values, nullable: true, ...more })),
        value.map((one): GivenColumn => ({ name: `c${index}`, layout, values: [one], isConstant: true, ...more })),
      ),
    ),
  )

describe('encodeColumns', () => {
  it('sends the very bytes that rows would be, whatever the values', () => {
    const batches = fc.nat({ max: 12 }).chain((rows) => columns(rows).map((given) => ({ rows, given })))

    fc.assert(
      fc.property(batches, ({ rows, given }) => {
        const { byColumns, byRows } = bothWays(rows, given, FORMS.map(([, type]) => type))

        expect(byColumns?.toString('hex')).toBe(byRows().toString('hex'))
      }),
      { numRuns: 300 },
    )
  })

  it('goes on from block to block of many rows, short and long ones', () => {
    const rows = 10_000
    const values = Array.from({ length: rows }, (_, row) => (row % 1000 === 0 ? 'x'.repeat(200_000) : row % 3 === 0 ? '' : `value ${row}`))
    const given: GivenColumn[] = [
      { name: 'name', layout: 'text', values },
      { name: 'note', layout: 'text', values: values.map((value) => (value === '' ? null : value.slice(0, 9))), nullable: true },
      { name: 'topic', layout: 'text', values: ['rides'], isConstant: true },
      { name: 'place', layout: 'int64', values: values.map((_value, row) => BigInt(row)) },
      { name: 'price', layout: 'decimal64', values: values.map((_value, row) => decimalText(BigInt(row * 7), 2)), precision: 12, scale: 2 },
    ]

    const { byColumns, byRows } = bothWays(rows, given, [{ name: 'text' }, { name: 'text' }, { name: 'text' }, { name: 'int8' }, numeric(12, 2)])

    expect(byColumns?.equals(byRows())).toBe(true)
  })

  it.each<[what: string, given: Omit<GivenColumn, 'name'>, type: Type]>([
    ['a null where there must be none', { layout: 'int32', values: [1, null], nullable: true }, { name: 'int4', notNull: true }],
    ['a number that is too large', { layout: 'int32', values: [1, 32_768] }, { name: 'int2' }],
    ['a number that is too small', { layout: 'int32', values: [1, -32_769] }, { name: 'int2' }],
    ['a zero byte within a text', { layout: 'text', values: ['', 'a\0b', ''] }, { name: 'text' }],
    ['a zero byte at the end of a text', { layout: 'text', values: ['a', 'b\0'] }, { name: 'text' }],
    ['a text that is too long', { layout: 'text', values: ['four', 'fifth'] }, { name: 'varchar', modifier: 8 }],
    ['a time before the calendar begins', { layout: 'milliseconds', values: [new Date(Date.UTC(-4712, 0, 1) - 1)] }, { name: 'timestamptz' }],
    ['an escape that jsonb has no character for', { layout: 'text', values: ['"\\u001f"', '"\\u0000"'], isJson: true }, { name: 'jsonb' }],
    ['a decimal of more digits than the batch says', { layout: 'decimal32', values: ['9.99', '10'], precision: 3, scale: 2 }, numeric(3, 2)],
    ['a negative decimal of more digits', { layout: 'decimal64', values: ['-10000000000'], precision: 12, scale: 2 }, numeric(12, 2)],
    ['half of a surrogate pair in an escape', { layout: 'text', values: ['"\\uD83d"'], isJson: true }, { name: 'jsonb' }],
  ])('leaves %s to the rows, which are refused', (_what, given, type) => {
    const { byColumns, byRows } = bothWays(given.values.length, [{ name: 'c', ...given }], [type])

    expect(byColumns).toBeNull()
    expect(byRows).toThrow(/nothing was stored/)
  })

  it.each<[what: string, given: Omit<GivenColumn, 'name'>, type: Type]>([
    ['texts for jsonb that are not marked as JSON', { layout: 'text', values: ['{}'] }, { name: 'jsonb' }],
    ['texts for a type that is told by its text', { layout: 'text', values: ['2026-01-01'] }, { name: 'date' }],
    ['numbers for a narrower type', { layout: 'int64', values: [1n] }, { name: 'int4' }],
    ['numbers for decimals', { layout: 'int32', values: [1] }, numeric(9, 2)],
    ['decimals that would be rounded', { layout: 'decimal32', values: ['1.25'], precision: 9, scale: 2 }, numeric(9, 1)],
    ['decimals with more digits', { layout: 'decimal32', values: ['1.25'], precision: 9, scale: 2 }, numeric(8, 2)],
    ['a type that has another one\'s name', { layout: 'text', values: ['x'], isJson: true }, { name: 'json', kind: 'e' }],
    ['a type that nothing is known of', { layout: 'text', values: ['10.0.0.1'] }, { name: 'inet' }],
    ['a column that the server computes', { layout: 'int32', values: [1] }, { name: 'int4', generated: true }],
  ])('leaves %s to the rows', (_what, given, type) => {
    expect(bothWays(given.values.length, [{ name: 'c', ...given }], [type]).byColumns).toBeNull()
  })

  it('leaves a number of milliseconds that no Date holds to the rows', () => {
    const values: ColumnValues = { name: 'c', layout: 'milliseconds', bytes: new Uint8Array(BigInt64Array.of(2n ** 62n).buffer), isConstant: false, nulls: null, precision: 0, scale: 0 }

    expect(encodeColumns({ rows: 1 }, [{ values, target: target('c', { name: 'timestamptz' }) }])).toBeNull()
  })
})

describe('freeChunks', () => {
  it('frees the rows and leaves what every batch begins and ends with', () => {
    const rows = 2_000
    const values = columnBatchOf(rows, [{ name: 'c', layout: 'text', values: Array.from({ length: rows }, (_, row) => `${row}`.padStart(200)) }]).columns[0]
    const pair = { values: values as ColumnValues, target: target('c', { name: 'text' }) }
    const chunks = encodeColumns({ rows }, [pair]) ?? []
    // Smaller ones share memory with others.
    const large = chunks.filter(({ byteLength }) => byteLength > Buffer.poolSize / 2)
    const before = Buffer.concat(chunks)

    freeChunks(chunks)

    expect(large.length).toBeGreaterThan(0)
    expect(large.map(({ byteLength }) => byteLength)).toEqual(large.map(() => 0))
    expect(Buffer.concat(encodeColumns({ rows }, [pair]) ?? [])).toEqual(before)
  })
})
