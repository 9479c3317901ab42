import assert from 'node:assert/strict'
import { assertAborted, assertRejected } from './assert-error.ts'
import { contractCase, type ContractSuite, pause, uniqueName, within } from './contract-case.ts'
import { assertStopped } from './storage-streams.ts'
import { insertNote, notesOf, type StorageSubject, withNotes, withStorage } from './storage-subject.ts'

/** What ends long before a slow statement would was ended; a busy machine takes its time to do so. */
const SLOW_SECONDS = 6
const ENDED_WITHIN_MS = 5_000

/** Deadlines and signals. */
export const storageLimitCases: ContractSuite<StorageSubject> = [
  contractCase('fails with a TimeoutError at its deadline and stops the server', (subject) =>
    withStorage(subject, async (storage) => {
      const marker = uniqueName('slow')
      const slow = storage.execute(`${subject.sql.slow(SLOW_SECONDS)} /* ${marker} */`, [], { timeoutMs: 200 })

      await within(ENDED_WITHIN_MS, 'a statement with a deadline of 200 ms', assertRejected(slow, 'TimeoutError', 'a statement past its deadline'))
      await assertStopped(storage, subject, marker)
      assert.equal((await storage.execute('SELECT 1 AS n')).length, 1)
    }),
  ),

  contractCase('ends early when its signal aborts and stops the server', (subject) =>
    withStorage(subject, async (storage) => {
      const marker = uniqueName('aborted')
      const abort = new AbortController()
      const slow = storage.execute(`${subject.sql.slow(SLOW_SECONDS)} /* ${marker} */`, [], { signal: abort.signal })
      const refused = assertAborted(slow, 'a statement')
      await pause(200)
      abort.abort()

      await within(ENDED_WITHIN_MS, 'an aborted statement', refused)
      await assertStopped(storage, subject, marker)
      assert.equal((await storage.execute('SELECT 1 AS n')).length, 1)
    }),
  ),

  contractCase('does nothing for a signal that has already aborted', (subject) =>
    withNotes(subject, async (storage, table) => {
      const insert = `INSERT INTO ${table} (id, note) VALUES ($1, $2)`
      const signal = AbortSignal.abort()

      await assertAborted(storage.execute(insert, [1n, 'x'], { signal }), 'execute')
      await assertAborted(storage.executeMany(insert, [[1n, 'x']], { signal }), 'executeMany')

      assert.deepEqual(await notesOf(storage, table), [])
    }),
  ),

  contractCase('is not disturbed by a signal that aborts after the answer', (subject) =>
    withNotes(subject, async (storage, table) => {
      const abort = new AbortController()
      await storage.execute(`SELECT id FROM ${table}`, [], { signal: abort.signal, timeoutMs: 10_000 })

      abort.abort()

      await insertNote(storage, table, 1n, 'after')
      assert.deepEqual(await notesOf(storage, table), ['after'])
    }),
  ),
]
