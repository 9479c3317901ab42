import fc from 'fast-check'
import { expect, it } from 'vitest'
import { describeStorage } from './each-storage.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((value) => !value.includes('\0'))
const decimal = fc
  .tuple(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.integer({ min: 0, max: 30 }))
  .map(([digits, scale]) => withPoint(digits, scale))
const moment = fc.date({ min: new Date('-004000-01-01T00:00:00.000Z'), max: new Date('+200000-01-01T00:00:00.000Z'), noInvalidDate: true })
const day = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }).map((date) => date.toISOString().slice(0, 10))
const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => value !== null && storable(value))
/** Read back by its shortest text, which is another 64-bit number: 0.1, not 0.10000000149011612. */
const float4 = fc.float()

/** Column type to values of it, as they are read back. */
const COLUMNS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  int2: fc.integer({ min: -32_768, max: 32_767 }),
  int4: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  int8: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float4,
  float8: fc.double(),
  numeric: decimal,
  text,
  'varchar(40)': text.filter((value) => [...value].length <= 40),
  bool: fc.boolean(),
  timestamptz: moment,
  timestamp: moment,
  date: day,
  uuid: fc.uuid(),
  json,
  jsonb: json,
  bytea: fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
}
const ARRAYS = ['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text', 'bool', 'timestamptz', 'timestamp', 'date', 'uuid', 'jsonb', 'bytea']

const columns = [
  ...Object.entries(COLUMNS).map(([type, values]) => ({ type, values: fc.option(values) })),
  ...ARRAYS.map((type) => ({ type: `${type}[]`, values: fc.option(fc.array(fc.option(COLUMNS[type] as fc.Arbitrary<unknown>), { maxLength: 5 })) })),
  { type: 'int4[][]', values: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })).chain(([height, width]) => matrix(height, width)) },
].map((column, index) => ({ ...column, name: `c${index}` }))

function matrix(height: number, width: number): fc.Arbitrary<unknown> {
  const number = fc.integer({ min: -100, max: 100 })
  return fc.array(fc.array(number, { minLength: width, maxLength: width }), { minLength: height, maxLength: height })
}

function withPoint(digits: bigint, scale: number): string {
  if (scale === 0) return digits.toString()
  const padded = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0')
  return `${digits < 0n ? '-' : ''}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

/** JSON has no -0, and jsonb no zero characters. */
function storable(value: unknown): boolean {
  const written = JSON.stringify(value)
  return !/\\u0000/.test(written) && written.isWellFormed() && !/\\ud[89a-f]/i.test(written) && !hasMinusZero(value)
}

function hasMinusZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasMinusZero)
  return Object.is(value, -0)
}

/** The row with its 32-bit floats as such. */
function rounded(row: Record<string, unknown>): Record<string, unknown> {
  const round = (value: unknown): unknown => (Array.isArray(value) ? value.map(round) : typeof value === 'number' ? Math.fround(value) : value)
  const floats = columns.filter(({ type }) => type.startsWith('float4')).map(({ name }) => [name, round(row[name])])
  return { ...row, ...Object.fromEntries(floats) }
}

const rows = fc.array(fc.record(Object.fromEntries(columns.map(({ name, values }) => [name, values]))), { minLength: 1, maxLength: 20 })

describeStorage('COPY', (subject) => {
  it('gives back every row that it was given, whatever its values', async () => {
    const definitions = columns.map(({ name, type }) => `${name} ${type}`).join(', ')
    await subject.storage.runScript(`create table mirror (row_number int4 not null, ${definitions})`)

    await fc.assert(
      fc.asyncProperty(rows, async (given) => {
        await subject.storage.execute('truncate mirror')
        await subject.storage.bulkInsert('mirror', given.map((row, index) => ({ row_number: index, ...row })))
        const stored = await subject.storage.execute('select * from mirror order by row_number')

        expect(stored.map(({ row_number: _number, ...row }) => rounded(row))).toEqual(given.map(rounded))
      }),
      { numRuns: 50 },
    )
  })

  it('stores numerics as the server itself reads their text', async () => {
    await subject.storage.runScript('create table decimals (n int4, exact numeric, rounded numeric(12,4))')
    const small = fc.tuple(fc.bigInt({ min: -(10n ** 11n), max: 10n ** 11n }), fc.integer({ min: 4, max: 12 })).map(([digits, scale]) => withPoint(digits, scale))
    const written = fc.oneof(decimal, fc.double({ noNaN: true, noDefaultInfinity: true }).map(String), fc.constantFrom('1e-20', '5E+10', '.5', '12.', '+7', '-0', '000.100', 'NaN'))

    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ exact: written, rounded: small }), { minLength: 1, maxLength: 30 }), async (given) => {
        await subject.storage.execute('truncate decimals')
        await subject.storage.bulkInsert('decimals', given.map((row, n) => ({ n, ...row })))
        const stored = await subject.storage.execute('select exact::text, rounded::text from decimals order by n')
        const [expected] = await subject.storage.execute('select array(select x::numeric::text from unnest($1::text[]) x) as exact, array(select x::numeric(12,4)::text from unnest($2::text[]) x) as rounded', [
          given.map((row) => row.exact),
          given.map((row) => row.rounded),
        ])

        expect(stored.map((row) => row['exact'])).toEqual(expected?.['exact'])
        expect(stored.map((row) => row['rounded'])).toEqual(expected?.['rounded'])
      }),
      { numRuns: 30 },
    )
  })

  it('stores times written as text as the server itself reads them', async () => {
    await subject.storage.runScript('create table times (n int4, at timestamptz, local timestamp, day date)')
    const written = [
      '2024-02-29T12:34:56.123456Z',
      '2024-02-29T12:34:56.999999+05:30',
      '2024-02-29 12:34:56-0800',
      '2024-02-29T12:34:56',
      '2024-02-29T12:34Z',
      '2024-02-29',
      'infinity',
      '-infinity',
    ]
    await subject.storage.bulkInsert('times', written.map((at, n) => ({ n, at, local: at.replace(/(Z|[+-]\d\d:?\d\d)$/, ''), day: at.length > 10 ? '2024-02-29' : at })))

    const differing = await subject.storage.execute(
      `select n from times join unnest($1::timestamptz[]) with ordinality as text (at, ordinal) on ordinal = n + 1 where text.at is distinct from times.at`,
      [written],
    )

    expect(differing).toEqual([])
    expect(await subject.storage.execute('select count(*) as n from times where local is not null and day is not null')).toEqual([{ n: BigInt(written.length) }])
  })

  it.each(['2024-02-30', '2024-02-29T24:00:00Z', '2024-02-29T12:60Z', 'yesterday', '', '2024-02-29T12:34:56.1234567890Z'])('refuses the time %j, which the server would not take either or not as meant', async (at) => {
    await subject.storage.runScript('create table if not exists refused_times (at timestamptz)')

    await expect(subject.storage.bulkInsert('refused_times', [{ at }])).rejects.toMatchObject({ issues: [{ path: [0, 'at'] }] })
  })
})
