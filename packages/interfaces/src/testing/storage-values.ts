import assert from 'node:assert/strict'
import { assertRejected } from './assert-error.ts'
import { contractCase, type ContractSuite } from './contract-case.ts'
import { insertNote, notesOf, type StorageSubject, withNotes, withStorage, withTable } from './storage-subject.ts'

const BIG_INTEGERS = [0n, -1n, 9_007_199_254_740_993n, -9_007_199_254_740_993n, 9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n]
const DECIMALS = ['12345678901234567890.0123456789', '-0.0000000001', '99999999999999999999.9999999999', '0.1000000003']
const TIMES = ['1969-12-31T23:59:59.999Z', '1970-01-01T00:00:00.001Z', '2024-02-29T12:34:56.789Z', '2199-12-31T23:59:59.123Z']
const FLOATS = [0, 0.1, -1.5, 1e300, 5e-324, Number.MAX_SAFE_INTEGER]
const TEXTS = [
  '',
  "it's",
  'say "hello"',
  "'); DROP TABLE contract; --",
  'back\\slash \\n \\x41',
  'line\nbreak\ttab\r',
  '$1 $2 :name {id:Int64} ? %s',
  '🐳 naïve 日本語 نهنگ',
  'NULL',
  'x'.repeat(100_000),
]

/** Stores each value in a column of that type and expects it back as it was. */
function roundTrip(name: string, type: keyof StorageSubject['sql']['types'], values: readonly unknown[]) {
  return contractCase<StorageSubject>(name, (subject) => {
    const { types } = subject.sql
    return withTable(subject, { id: types.bigint, v: types[type] as string }, async (storage, table) => {
      for (const [index, value] of values.entries()) {
        await storage.execute(`INSERT INTO ${table} (id, v) VALUES ($1, $2)`, [BigInt(index), value])
      }
      const rows = await storage.execute(`SELECT id, v FROM ${table} ORDER BY id`)
      assert.deepEqual(
        rows.map((row) => row['v']),
        values,
      )
    })
  })
}

const bytesCase = contractCase<StorageSubject>('keeps bytes, or refuses them where the store has no type for them', async (subject) => {
  const { types } = subject.sql
  const bytes = Uint8Array.from({ length: 256 }, (_value, index) => index)
  await withTable(subject, { id: types.bigint, v: types.bytes ?? types.text }, async (storage, table) => {
    const insert = storage.execute(`INSERT INTO ${table} (id, v) VALUES ($1, $2)`, [1n, bytes])
    if (types.bytes === null) {
      await assertRejected(insert, 'InfrastructureError', 'binding bytes')
      return
    }
    await insert
    const [row] = await storage.execute(`SELECT v FROM ${table}`)
    assert.ok(row?.['v'] instanceof Uint8Array, 'bytes come back as a Uint8Array')
    assert.deepEqual([...row['v']], [...bytes])
  })
})

/** Values in and out. */
export const storageValueCases: ContractSuite<StorageSubject> = [
  roundTrip('keeps 64-bit integers exact, beyond what a number holds', 'bigint', BIG_INTEGERS),
  roundTrip('keeps decimals exact, as strings', 'decimal', DECIMALS),
  roundTrip(
    'keeps times to the millisecond, as Date',
    'timestamp',
    TIMES.map((time) => new Date(time)),
  ),
  roundTrip('keeps any text: quotes, escapes, placeholders, emoji, long ones', 'text', TEXTS),
  roundTrip('tells null from the empty text', 'nullableText', [null, '', 'null']),
  roundTrip('keeps booleans', 'boolean', [true, false]),
  roundTrip('keeps floating-point numbers', 'float', FLOATS),
  bytesCase,

  contractCase('answers rows as objects by column name, and none as an empty list', (subject) =>
    withNotes(subject, async (storage, table) => {
      assert.deepEqual(await storage.execute(`SELECT id, note FROM ${table}`), [])
      await insertNote(storage, table, 7n, 'seven')

      const rows = await storage.execute(`SELECT id, note AS remark FROM ${table}`)

      assert.deepEqual(
        rows.map((row) => ({ ...row })),
        [{ id: 7n, remark: 'seven' }],
      )
    }),
  ),

  contractCase('binds parameters by their position, also when one is used twice', (subject) =>
    withNotes(subject, async (storage, table) => {
      await storage.execute(`INSERT INTO ${table} (note, id) VALUES ($2, $1)`, [1n, 'first'])
      await insertNote(storage, table, 2n, 'second')

      const rows = await storage.execute(`SELECT note FROM ${table} WHERE id = $1 AND id <= $1 AND note <> $2`, [2n, 'first'])

      assert.deepEqual(
        rows.map((row) => row['note']),
        ['second'],
      )
    }),
  ),

  contractCase('leaves what looks like a parameter inside a text alone', (subject) =>
    withStorage(subject, async (storage) => {
      const [row] = await storage.execute("SELECT '$1' AS v")
      assert.equal(row?.['v'], '$1')
    }),
  ),

  contractCase('refuses a statement that lacks a parameter', (subject) =>
    withNotes(subject, async (storage, table) => {
      const insert = storage.execute(`INSERT INTO ${table} (id, note) VALUES ($1, $2)`, [1n])
      await assertRejected(insert, 'InfrastructureError', 'a statement that lacks a parameter')
      assert.deepEqual(await notesOf(storage, table), [])
    }),
  ),

  contractCase('executeMany stores every list and answers how many', (subject) =>
    withNotes(subject, async (storage, table) => {
      const lists = Array.from({ length: 1000 }, (_value, index) => [BigInt(index), `note ${index}`])

      assert.equal(await storage.executeMany(`INSERT INTO ${table} (id, note) VALUES ($1, $2)`, lists), 1000)
      assert.deepEqual(
        await notesOf(storage, table),
        lists.map(([, note]) => note),
      )
    }),
  ),

  contractCase('executeMany does nothing for no lists', (subject) =>
    withNotes(subject, async (storage, table) => {
      assert.equal(await storage.executeMany(`INSERT INTO ${table} (id, note) VALUES ($1, $2)`, []), 0)
    }),
  ),

  contractCase('executeMany stores all or nothing', (subject) =>
    withNotes(subject, async (storage, table) => {
      const lists = [
        [1n, 'good'],
        ['not a number', 'bad'],
        [3n, 'good'],
      ]
      const insert = storage.executeMany(`INSERT INTO ${table} (id, note) VALUES ($1, $2)`, lists)
      await assertRejected(insert, 'InfrastructureError', 'a list with a value of the wrong type')
      assert.deepEqual(await notesOf(storage, table), [])
    }),
  ),
]
