import assert from 'node:assert/strict'
import { ValidationError } from '../errors.ts'
import type { StorageInterface } from '../storage.ts'
import { assertRejected } from './assert-error.ts'
import { contractCase, type ContractSuite, uniqueName } from './contract-case.ts'
import { insertNote, notesOf, type StorageSubject, withNotes, withStorage, withTable } from './storage-subject.ts'

/** Names that nothing in any store can have. */
const IMPOSSIBLE_NAMES = ['', 'a\0b']
/** Names that no table in any store can have. */
const IMPOSSIBLE_TABLE_NAMES = [...IMPOSSIBLE_NAMES, 'x'.repeat(5000)]

/** Names that would do harm if they were pasted into SQL; a store may refuse them, or take them for what they are. */
const hostileNames = (victim: string): readonly string[] => [
  `evil"; DROP TABLE ${victim}; --`,
  `evil\`; DROP TABLE ${victim}; --`,
  `evil'; DROP TABLE ${victim}; --`,
  `evil (id int); DROP TABLE ${victim}; --`,
  `evil\\"; DROP TABLE ${victim}; --`,
]

/** Refused as wrong input, or done without harm. */
async function harmless(attempt: Promise<void>, what: string): Promise<void> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error === undefined || ValidationError.isInstance(error), `${what} must be a ValidationError or be taken literally; got ${String(error)}`)
}

const hypertableCase = contractCase<StorageSubject>('createHypertable makes a table that takes rows of any time, or says that it can’t', async (subject) => {
  const { bigint, timestamp } = subject.sql.types
  await withTable(subject, { at: timestamp, id: bigint }, async (storage, table) => {
    if (!subject.can.hypertables) {
      await assertRejected(storage.createHypertable(table, 'at'), 'OperationError', 'createHypertable where there are none')
      return
    }
    await storage.createHypertable(table, 'at')
    const times = ['2001-01-01T00:00:00.000Z', '2024-06-01T00:00:00.000Z', '2024-06-02T00:00:00.000Z'].map((time) => new Date(time))
    const lists = times.map((time, index) => [time, BigInt(index)])
    await storage.executeMany(`INSERT INTO ${table} (at, id) VALUES ($1, $2)`, lists)

    const rows = await storage.execute(`SELECT at FROM ${table} ORDER BY at`)

    assert.deepEqual(
      rows.map((row) => row['at']),
      times,
    )
  })
})

const hostileHypertableCase = contractCase<StorageSubject>('createHypertable refuses names that no table or column can have', async (subject) => {
  if (!subject.can.hypertables) return
  await withTable(subject, { at: subject.sql.types.timestamp }, async (storage, table) => {
    for (const name of IMPOSSIBLE_TABLE_NAMES) {
      await assertRejected(storage.createHypertable(name, 'at'), 'ValidationError', `the table name ${describe(name)}`)
    }
    for (const name of IMPOSSIBLE_NAMES) {
      await assertRejected(storage.createHypertable(table, name), 'ValidationError', `the column name ${describe(name)}`)
    }
  })
})

/** Tables, connections and what is refused. */
export const storageTableCases: ContractSuite<StorageSubject> = [
  contractCase('connects and disconnects, each as often as one likes', async (subject) => {
    const storage = await subject.create()
    try {
      assert.equal(storage.isConnected(), false)
      await storage.connect()
      await storage.connect()
      assert.equal(storage.isConnected(), true)
      assert.equal((await storage.execute('SELECT 1 AS n')).length, 1)
    } finally {
      await storage.disconnect()
      await storage.disconnect()
    }
    assert.equal(storage.isConnected(), false)
    await assertRejected(storage.execute('SELECT 1 AS n'), 'InfrastructureError', 'a statement after disconnect')
    await subject.dispose?.(storage)
  }),

  contractCase('survives a disconnect that was never connected', async (subject) => {
    const storage = await subject.create()
    await storage.disconnect()
    await subject.dispose?.(storage)
  }),

  contractCase('serves many statements at once', (subject) =>
    withNotes(subject, async (storage, table) => {
      await Promise.all(Array.from({ length: 50 }, (_value, index) => insertNote(storage, table, BigInt(index), `note ${index}`)))
      assert.equal((await notesOf(storage, table)).length, 50)
    }),
  ),

  contractCase('refuses wrong SQL with a typed error that is not worth a retry, and goes on', (subject) =>
    withStorage(subject, async (storage) => {
      const error = await assertRejected(storage.execute('SELEC 1'), 'InfrastructureError', 'a syntax error')
      assert.equal(error.retryable, false)
      await assertRejected(storage.execute(`SELECT * FROM ${uniqueName('missing')}`), 'InfrastructureError', 'a table that is not there')
      assert.equal((await storage.execute('SELECT 1 AS n')).length, 1)
    }),
  ),

  contractCase('createTable refuses names that no table or column can have', (subject) =>
    withStorage(subject, async (storage) => {
      const { bigint } = subject.sql.types
      for (const name of IMPOSSIBLE_TABLE_NAMES) {
        const attempt = storage.createTable(name, { columns: { id: bigint }, primaryKey: ['id'] })
        await assertRejected(attempt, 'ValidationError', `the table name ${describe(name)}`)
      }
      for (const name of IMPOSSIBLE_NAMES) {
        const attempt = storage.createTable(uniqueName('t'), { columns: { id: bigint, [name]: bigint }, primaryKey: ['id'] })
        await assertRejected(attempt, 'ValidationError', `the column name ${describe(name)}`)
      }
      await assertRejected(storage.createTable(uniqueName('t'), { columns: {} }), 'ValidationError', 'a table without columns')
    }),
  ),

  contractCase('createTable lets no name break out of its quotes', (subject) =>
    withNotes(subject, async (storage, victim) => {
      await insertNote(storage, victim, 1n, 'still here')
      for (const name of hostileNames(victim)) await attackThroughNames(storage, subject, name)
      assert.deepEqual(await notesOf(storage, victim), ['still here'])
    }),
  ),

  hypertableCase,
  hostileHypertableCase,
]

async function attackThroughNames(storage: StorageInterface, subject: StorageSubject, name: string): Promise<void> {
  const { bigint } = subject.sql.types
  await harmless(storage.createTable(name, { columns: { id: bigint }, primaryKey: ['id'] }), `the table name ${name}`)
  await harmless(storage.createTable(uniqueName('t'), { columns: { id: bigint, [name]: bigint }, primaryKey: ['id'] }), `the column name ${name}`)
  const missingKey = storage.createTable(uniqueName('t'), { columns: { id: bigint }, primaryKey: [name] })
  await assertRejected(missingKey, 'InfrastructureError', `the key column ${name}, which the table doesn't have`)
}

const describe = (name: string): string => (name.length > 40 ? `of ${name.length} letters` : JSON.stringify(name))
