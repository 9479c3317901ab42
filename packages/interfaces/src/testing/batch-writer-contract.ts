import assert from 'node:assert/strict'
import type { BatchWriter, RecoverableBatchWriter, TurnBatchWriter } from '../batch-writer.ts'
import { ValidationError } from '../errors.ts'
import { assertAborted, assertRejected } from './assert-error.ts'
import { contractCase, type ContractCase, type ContractSuite, uniqueName } from './contract-case.ts'
import { writeTurnCases } from './write-turn-contract.ts'

/** One table with its writer, empty at first. */
export interface BatchWriterFixture<R> {
  readonly writer: BatchWriter<R>
  /** A row that the store takes; each index gives another one, the same index the same. With `recovery`, its offset is the index. */
  makeRow(index: number): R
  /** A row that the store refuses for its data. */
  makeRefusedRow(index: number): R
  /** The indexes of the rows that the table holds, one entry a stored row, in any order. */
  storedIndexes(): Promise<readonly number[]>
  /** For a writer that tells what it would refuse and what it holds; the topic and partition that rows carry. */
  readonly recovery?: { readonly writer: RecoverableBatchWriter<R>; readonly topic: string; readonly partition: number }
  /** For a writer whose store keeps former owners out; `another` is one over the same table, as another process has. */
  readonly turns?: { readonly writer: TurnBatchWriter<R>; another(): TurnBatchWriter<R>; readonly topic: string; readonly partition: number }
  dispose(): Promise<void>
}

/** A `BatchWriter` as `batchWriterContract` checks it. */
export interface BatchWriterSubject<R> {
  create(): Promise<BatchWriterFixture<R>>
}

type AnySubject = BatchWriterSubject<unknown>
type AnyFixture = BatchWriterFixture<unknown>

function writerCase(name: string, run: (fixture: AnyFixture) => Promise<void>): ContractCase<AnySubject> {
  return contractCase(name, async (subject) => {
    const fixture = await subject.create()
    try {
      await run(fixture)
    } finally {
      await fixture.dispose()
    }
  })
}

function recoveryCase(
  name: string,
  run: (fixture: AnyFixture, recovery: NonNullable<AnyFixture['recovery']>) => Promise<void>,
): ContractCase<AnySubject> {
  return writerCase(name, async (fixture) => {
    if (fixture.recovery) await run(fixture, fixture.recovery)
  })
}

const rowsOf = (fixture: AnyFixture, indexes: readonly number[]): unknown[] => indexes.map((index) => fixture.makeRow(index))

async function assertStored(fixture: AnyFixture, indexes: readonly number[]): Promise<void> {
  const stored = [...(await fixture.storedIndexes())].sort((one, other) => one - other)
  assert.deepEqual(stored, [...indexes])
}

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_value, index) => first + index)

/** What every `BatchWriter` promises, whatever its rows are. */
export const batchWriterContract: ContractSuite<AnySubject> = [
  writerCase('stores every row of a batch once', async (fixture) => {
    const receipt = await fixture.writer.write({ rows: rowsOf(fixture, range(0, 100)), token: uniqueName('token') })
    assert.equal(receipt.rows, 100)
    await assertStored(fixture, range(0, 100))
  }),

  writerCase('stores a batch that is sent again once, and says that it has it', async (fixture) => {
    const batch = { rows: rowsOf(fixture, range(0, 50)), token: uniqueName('token') }
    for (let repeat = 0; repeat < 3; repeat++) assert.equal((await fixture.writer.write(batch)).rows, 50)
    await assertStored(fixture, range(0, 50))
  }),

  writerCase('stores a batch that is sent many times at once, once', async (fixture) => {
    const batch = { rows: rowsOf(fixture, range(0, 50)), token: uniqueName('token') }
    await Promise.all(Array.from({ length: 5 }, () => fixture.writer.write(batch)))
    await assertStored(fixture, range(0, 50))
  }),

  writerCase('knows a token again after other batches', async (fixture) => {
    const first = { rows: rowsOf(fixture, [0, 1]), token: uniqueName('token') }
    await fixture.writer.write(first)
    for (let index = 2; index < 12; index++) await fixture.writer.write({ rows: rowsOf(fixture, [index]), token: uniqueName('token') })
    await fixture.writer.write(first)
    await assertStored(fixture, range(0, 12))
  }),

  writerCase('stores batches of different tokens side by side', async (fixture) => {
    const writes = range(0, 10).map((batch) => fixture.writer.write({ rows: rowsOf(fixture, range(batch * 20, 20)), token: uniqueName('token') }))
    await Promise.all(writes)
    await assertStored(fixture, range(0, 200))
  }),

  writerCase('takes a large batch', async (fixture) => {
    const rows = rowsOf(fixture, range(0, 20_000))
    assert.equal((await fixture.writer.write({ rows, token: uniqueName('token') })).rows, 20_000)
    assert.equal((await fixture.storedIndexes()).length, 20_000)
  }),

  writerCase('does nothing for an empty batch', async (fixture) => {
    assert.equal((await fixture.writer.write({ rows: [], token: uniqueName('token') })).rows, 0)
    await assertStored(fixture, [])
  }),

  writerCase('refuses a batch with a bad row as a whole, and says which row where it can', async (fixture) => {
    const rows = [...rowsOf(fixture, [0, 1]), fixture.makeRefusedRow(2), fixture.makeRow(3)]
    const error = await assertRejected(fixture.writer.write({ rows, token: uniqueName('token') }), 'ValidationError', 'a batch with a bad row')

    assert.equal(error.retryable, false, 'the same rows will be refused again')
    const told = ValidationError.isInstance(error) ? error.issues[0]?.path[0] : undefined
    if (typeof told === 'number') assert.equal(told, 2, 'the index of the bad row')
    await assertStored(fixture, [])
  }),

  writerCase('takes the rest of a refused batch under a token of its own', async (fixture) => {
    const rows = [fixture.makeRow(0), fixture.makeRefusedRow(1), fixture.makeRow(2)]
    await assertRejected(fixture.writer.write({ rows, token: uniqueName('token') }), 'ValidationError', 'a batch with a bad row')
    await fixture.writer.write({ rows: rowsOf(fixture, [0, 2]), token: uniqueName('token') })
    await assertStored(fixture, [0, 2])
  }),

  writerCase('does nothing for a signal that has already aborted; the batch can be sent again', async (fixture) => {
    const batch = { rows: rowsOf(fixture, [0, 1]), token: uniqueName('token') }
    await assertAborted(fixture.writer.write(batch, { signal: AbortSignal.abort() }), 'write')
    await assertStored(fixture, [])
    await fixture.writer.write(batch)
    await assertStored(fixture, [0, 1])
  }),

  writerCase('leaves a batch whose write was aborted half-way fit to be sent again', async (fixture) => {
    for (let round = 0; round < 5; round++) {
      const indexes = range(round * 1000, 1000)
      const batch = { rows: rowsOf(fixture, indexes), token: uniqueName('token') }
      const abort = new AbortController()
      const writing = fixture.writer.write(batch, { signal: abort.signal }).catch(() => {})
      setTimeout(() => abort.abort(), round * 2)
      await writing
      await fixture.writer.write(batch)
    }
    await assertStored(fixture, range(0, 5000))
  }),

  recoveryCase('findRefused names each bad row and stores nothing', async (fixture, { writer }) => {
    const rows = [fixture.makeRow(0), fixture.makeRefusedRow(1), fixture.makeRow(2), fixture.makeRefusedRow(3)]
    const refused = await writer.findRefused(rows)

    assert.deepEqual(refused.map((row) => row.index).sort(), [1, 3])
    assert.ok(refused.every((row) => row.reason.length > 0), 'each with a reason')
    assert.deepEqual(await writer.findRefused(rowsOf(fixture, [0, 2])), [])
    assert.deepEqual(await writer.findRefused([]), [])
    const some = await writer.findRefused(range(0, 40).map((index) => (index % 2 === 0 ? fixture.makeRow(index) : fixture.makeRefusedRow(index))), { atMost: 3 })
    assert.ok(some.length >= 3 && some.length < 20, 'stops once it has found as many as were asked for')
    assert.ok(some.every((row) => row.index % 2 === 1), 'and finds none that is good')
    await assertStored(fixture, [])
    await fixture.writer.write({ rows: rowsOf(fixture, [0, 2]), token: uniqueName('token') })
    await assertStored(fixture, [0, 2])
  }),

  recoveryCase('storedOffsets tells which offsets of a range are there, ascending, both ends included', async (fixture, { writer, topic, partition }) => {
    await fixture.writer.write({ rows: rowsOf(fixture, [9, 3, 5, 4, 20]), token: uniqueName('token') })

    assert.deepEqual(await writer.storedOffsets({ topic, partition, firstOffset: 3n, lastOffset: 9n }), [3n, 4n, 5n, 9n])
    assert.deepEqual(await writer.storedOffsets({ topic, partition, firstOffset: 6n, lastOffset: 8n }), [])
    assert.deepEqual(await writer.storedOffsets({ topic: `${topic}x`, partition, firstOffset: 0n, lastOffset: 99n }), [])
    assert.deepEqual(await writer.storedOffsets({ topic, partition: partition + 1, firstOffset: 0n, lastOffset: 99n }), [])
  }),

  ...writeTurnCases,
]
