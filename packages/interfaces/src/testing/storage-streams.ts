import assert from 'node:assert/strict'
import type { StorageInterface } from '../storage.ts'
import { assertAborted, assertRejected } from './assert-error.ts'
import { contractCase, type ContractCase, type ContractSuite, eventually, pause, uniqueName, within } from './contract-case.ts'
import { insertNote, notesOf, type StorageSubject, withNotes, withStorage } from './storage-subject.ts'

/** More rows than anybody can hold or wait for. */
const ENDLESS = 1_000_000_000
/** Far below what an endless series makes in half a second when nobody holds it back. */
const PAUSED_READER_MAY_HOLD_BYTES = 256 * 1024 * 1024

/** A case that only says something about a store that streams. */
function streamCase(name: string, run: (storage: StorageInterface, subject: StorageSubject) => Promise<void>): ContractCase<StorageSubject> {
  return contractCase(name, async (subject) => {
    if (subject.can.streaming) await withStorage(subject, (storage) => run(storage, subject))
  })
}

async function firstRow(rows: AsyncIterable<unknown>): Promise<unknown> {
  for await (const row of rows) return row
  return undefined
}

/** Fails unless the server soon has no statement left that contains the marker. */
export async function assertStopped(storage: StorageInterface, subject: StorageSubject, marker: string): Promise<void> {
  const query = subject.sql.countRunning?.(marker)
  if (query === undefined) return
  await eventually(async () => {
    const [row] = await storage.execute(query)
    assert.equal(Number(row?.['n']), 0, 'the server still works on a statement that nobody waits for')
  })
}

/** Reading with bounded memory. */
export const storageStreamCases: ContractSuite<StorageSubject> = [
  contractCase('says that it can’t where there are no streams', async (subject) => {
    if (subject.can.streaming) return
    await withStorage(subject, async (storage) => {
      await assertRejected(
        (async () => firstRow(storage.stream('SELECT 1 AS n')))(),
        'OperationError',
        'stream where there is none',
      )
    })
  }),

  streamCase('streams every row once, in order', async (storage, subject) => {
    const count = 100_000
    let next = 0n
    for await (const row of storage.stream(subject.sql.series(count))) {
      if (BigInt(row['n'] as bigint) !== next) assert.equal(BigInt(row['n'] as bigint), next)
      next += 1n
    }
    assert.equal(next, BigInt(count))
  }),

  contractCase('streams with parameters and the same types as execute', async (subject) => {
    if (!subject.can.streaming) return
    await withNotes(subject, async (storage, table) => {
      await insertNote(storage, table, 9_007_199_254_740_993n, 'first')
      await insertNote(storage, table, 2n, 'second')
      const rows: unknown[] = []

      for await (const row of storage.stream(`SELECT id, note FROM ${table} WHERE note = $1`, ['first'])) rows.push({ ...row })

      assert.deepEqual(rows, [{ id: 9_007_199_254_740_993n, note: 'first' }])
    })
  }),

  streamCase('hands out the first row long before the last one exists', async (storage, subject) => {
    const row = await within(30_000, 'the first row of an endless series', firstRow(storage.stream(subject.sql.series(ENDLESS))))
    assert.equal(Number((row as { n: unknown }).n), 0)
  }),

  streamCase('holds the server back while the reader pauses', async (storage, subject) => {
    let grownBytes = 0
    for await (const _row of storage.stream(subject.sql.series(ENDLESS))) {
      const before = process.memoryUsage().rss
      await pause(500)
      grownBytes = process.memoryUsage().rss - before
      break
    }
    assert.ok(grownBytes < PAUSED_READER_MAY_HOLD_BYTES, `a paused reader gathered ${Math.round(grownBytes / 1024 / 1024)} MB`)
  }),

  streamCase('ends the query on the server when the loop is left, and gives back what it held', async (storage, subject) => {
    const marker = uniqueName('left')
    for (let round = 0; round < 30; round++) {
      await within(30_000, 'a stream after streams that were left', firstRow(storage.stream(`${subject.sql.series(ENDLESS)} /* ${marker} */`)))
    }
    await assertStopped(storage, subject, marker)
    assert.equal((await storage.execute('SELECT 1 AS n')).length, 1)
  }),

  streamCase('ends when its signal aborts', async (storage, subject) => {
    const abort = new AbortController()
    const marker = uniqueName('aborted')
    const reading = (async () => {
      for await (const _row of storage.stream(`${subject.sql.series(ENDLESS)} /* ${marker} */`, [], { signal: abort.signal })) abort.abort()
    })()

    await within(30_000, 'an aborted stream', assertAborted(reading, 'a stream'))
    await assertStopped(storage, subject, marker)
  }),

  streamCase('fails with a typed error in the loop', async (storage) => {
    await assertRejected(firstRow(storage.stream('SELEC 1')), 'InfrastructureError', 'a stream with a syntax error')
    assert.equal((await storage.execute('SELECT 1 AS n')).length, 1)
  }),

  contractCase('serves other statements while a stream is read', async (subject) => {
    if (!subject.can.streaming) return
    await withNotes(subject, async (storage, table) => {
      let read = 0
      for await (const _row of storage.stream(subject.sql.series(10))) {
        await insertNote(storage, table, BigInt(read), `note ${read}`)
        read += 1
      }
      assert.equal((await notesOf(storage, table)).length, 10)
    })
  }),
]
