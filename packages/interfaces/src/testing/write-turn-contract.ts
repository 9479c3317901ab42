import assert from 'node:assert/strict'
import type { TurnBatchWriter, WriteTurn } from '../batch-writer.ts'
import type { SliceClaim, SliceScope } from '../slice-ledger.ts'
import { assertAborted, assertRejected } from './assert-error.ts'
import type { BatchWriterFixture, BatchWriterSubject } from './batch-writer-contract.ts'
import { contractCase, type ContractCase, type ContractSuite, uniqueName } from './contract-case.ts'

type AnyFixture = BatchWriterFixture<unknown>

/** What a case works with: two writers over one table, as two processes have, and one partition. */
interface Bench {
  readonly fixture: AnyFixture
  readonly writer: TurnBatchWriter<unknown>
  readonly other: TurnBatchWriter<unknown>
  readonly scope: SliceScope
  readonly topic: string
  readonly partition: number
}

function turnCase(name: string, run: (bench: Bench) => Promise<void>): ContractCase<BatchWriterSubject<unknown>> {
  return contractCase(name, async (subject) => {
    const fixture = await subject.create()
    try {
      const { turns } = fixture
      if (turns === undefined) return
      const { writer, topic, partition } = turns
      await run({ fixture, writer, other: turns.another(), topic, partition, scope: { pipeline: uniqueName('pipeline'), topicId: uniqueName('topic'), partition } })
    } finally {
      await fixture.dispose()
    }
  })
}

function claimOf(scope: SliceScope, epoch: bigint, owner = `worker-${epoch}`): SliceClaim {
  return { scope, epoch, owner, nextOffset: 0n, inFlight: null }
}

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_value, index) => first + index)

async function write({ fixture }: Bench, writer: TurnBatchWriter<unknown>, turn: WriteTurn, indexes: readonly number[], token = uniqueName('token')): Promise<void> {
  await writer.write({ rows: indexes.map((index) => fixture.makeRow(index)), token, turn })
}

async function assertStale(promise: Promise<unknown>, what: string): Promise<void> {
  const error = await assertRejected(promise, 'OperationError', what)
  assert.equal(error.code, 'ERR_STALE_EPOCH', `${what} must fail with ERR_STALE_EPOCH`)
  assert.equal(error.retryable, false, 'a turn that is over is not worth a retry')
}

async function assertTaken(promise: Promise<unknown>, holder: string): Promise<void> {
  const error = await assertRejected(promise, 'OperationError', 'what another pipeline does with the table')
  assert.equal(error.code, 'ERR_TABLE_TAKEN')
  assert.equal(error.retryable, false, 'waiting mends nothing')
  assert.ok(error.message.includes(`take-over --from ${holder}`), `the message says how to go on: ${error.message}`)
}

async function assertStored({ fixture }: Bench, indexes: readonly number[]): Promise<void> {
  assert.deepEqual([...(await fixture.storedIndexes())].sort((one, other) => one - other), [...indexes])
}

/** What a writer promises whose store keeps former owners out. Part of `batchWriterContract`. */
export const writeTurnCases: ContractSuite<BatchWriterSubject<unknown>> = [
  turnCase('knows no turn of a partition that nobody has taken a turn in', async ({ writer, scope }) => {
    assert.equal(await writer.latestTurn(scope), null)
  }),

  turnCase('stores what is written under the newest turn, once', async (bench) => {
    const { writer, scope } = bench
    const turn = await writer.takeTurn(claimOf(scope, 3n))
    const token = uniqueName('token')
    for (let repeat = 0; repeat < 3; repeat++) await write(bench, writer, turn, range(0, 50), token)

    assert.deepEqual(await writer.latestTurn(scope), { epoch: 3n, pipeline: scope.pipeline })
    await assertStored(bench, range(0, 50))
  }),

  turnCase('refuses, and stores nothing of, what comes under a turn of an older claim', async (bench) => {
    const { writer, other, scope } = bench
    const old = await writer.takeTurn(claimOf(scope, 1n))
    await write(bench, writer, old, [0, 1])
    const current = await other.takeTurn(claimOf(scope, 2n))

    await assertStale(write(bench, writer, old, [2, 3]), 'a write of the former owner')
    await write(bench, other, current, [2, 3])

    assert.deepEqual(await writer.latestTurn(scope), { epoch: 2n, pipeline: scope.pipeline })
    await assertStored(bench, range(0, 4))
  }),

  turnCase('refuses a turn to the owner of an older claim', async (bench) => {
    const { writer, other, scope } = bench
    const current = await other.takeTurn(claimOf(scope, 2n))
    await assertStale(writer.takeTurn(claimOf(scope, 1n)), 'a turn of the former owner')
    await write(bench, other, current, [0])
    await assertStored(bench, [0])
  }),

  turnCase('refuses a turn to a second owner of the same epoch, as a ledger that lost commits may give it out', async (bench) => {
    const { writer, other, scope } = bench
    const first = await writer.takeTurn(claimOf(scope, 2n, 'one'))
    await assertStale(other.takeTurn(claimOf(scope, 2n, 'another')), 'a turn of the second owner')
    await write(bench, writer, first, [0])
    await assertStored(bench, [0])
  }),

  turnCase('ends an owner’s own earlier turn, so that a request that was given up comes too late', async (bench) => {
    const { writer, scope } = bench
    const first = await writer.takeTurn(claimOf(scope, 1n))
    const second = await writer.takeTurn(claimOf(scope, 1n))

    await assertStale(write(bench, writer, first, [0]), 'a write under the earlier turn')
    await write(bench, writer, second, [0])
    await assertStored(bench, [0])
  }),

  turnCase('lets at most one of several turns that were taken at once write', async (bench) => {
    const { writer, other, scope } = bench
    for (let round = 1n; round <= 5n; round++) {
      const taken = await Promise.allSettled([writer, other, writer, other].map((taker) => taker.takeTurn(claimOf(scope, round, 'one'))))
      const turns = taken.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
      const written = await Promise.allSettled(turns.map((turn, index) => write(bench, writer, turn, [Number(round) * 10 + index])))
      assert.ok(written.filter((outcome) => outcome.status === 'fulfilled').length <= 1, 'two turns at once could write')
    }
    const last = await writer.takeTurn(claimOf(scope, 9n))
    await write(bench, writer, last, [99])
    assert.ok((await bench.fixture.storedIndexes()).includes(99))
  }),

  turnCase('keeps the turns of topics and partitions apart', async (bench) => {
    const { writer, scope } = bench
    const scopes = [scope, { ...scope, partition: scope.partition + 1 }, { ...scope, topicId: `${scope.topicId}'x` }]
    const turns: WriteTurn[] = []
    for (const [index, one] of scopes.entries()) turns.push(await writer.takeTurn(claimOf(one, BigInt(index + 1))))
    for (const [index, turn] of turns.entries()) await write(bench, writer, turn, [index])

    for (const [index, one] of scopes.entries()) assert.deepEqual(await writer.latestTurn(one), { epoch: BigInt(index + 1), pipeline: one.pipeline })
    await assertStored(bench, range(0, 3))
  }),

  turnCase('has one newest turn of a partition for all pipelines, and says whose it is', async (bench) => {
    const { writer, other, scope } = bench
    const rival = { ...scope, pipeline: `${scope.pipeline}\\"x` }
    const before = await writer.takeTurn(claimOf(scope, 3n))
    await write(bench, writer, before, [0])
    await assertStale(other.takeTurn(claimOf(rival, 2n)), 'a turn of another pipeline under a smaller epoch')
    const after = await other.takeTurn(claimOf(rival, 4n))

    await assertStale(write(bench, writer, before, [1]), 'a write of the pipeline that had the turn before')
    await write(bench, other, after, [1])

    for (const one of [scope, rival]) assert.deepEqual(await writer.latestTurn(one), { epoch: 4n, pipeline: rival.pipeline })
    await assertStored(bench, [0, 1])
  }),

  turnCase('has ended what ran under earlier turns when a turn is given: nothing is stored behind its back', async (bench) => {
    const { writer, other, scope, topic, partition } = bench
    for (let round = 0; round < 6; round++) {
      const old = await writer.takeTurn(claimOf(scope, BigInt(2 * round + 1)))
      const writing = write(bench, writer, old, range(round * 20_000, 20_000)).catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, round * 5))
      await other.takeTurn(claimOf(scope, BigInt(2 * round + 2)))

      const source = { topic, partition, firstOffset: BigInt(round * 20_000), lastOffset: BigInt(round * 20_000 + 19_999) }
      const seen = (await other.storedOffsets(source)).length
      await writing
      assert.equal((await other.storedOffsets(source)).length, seen, 'rows came in under a turn that was over')
      assert.ok(seen === 0 || seen === 20_000, 'a batch is stored whole or not at all')
    }
  }),

  turnCase('gives the table to one pipeline for all partitions of a topic, for as long as it has that name', async ({ writer, other, scope }) => {
    const claim = { pipeline: scope.pipeline, topicId: scope.topicId, topic: 'rides' }
    const rival = { ...claim, pipeline: `${scope.pipeline}\\"x` }
    assert.equal(await writer.tableHolder(scope.topicId), null)
    for (let again = 0; again < 2; again++) await writer.claimTable(claim)

    await assertTaken(other.claimTable(rival), claim.pipeline)
    await assertTaken(other.takeTurn(claimOf({ ...scope, pipeline: rival.pipeline }, 9n)), claim.pipeline)
    assert.equal(await other.tableHolder(scope.topicId), claim.pipeline)
    await other.claimTable({ ...rival, topicId: `${scope.topicId}-2` })
    await writer.takeTurn(claimOf({ ...scope, partition: 7 }, 1n))
    await other.claimTable(claim)
  }),

  turnCase('gives the table to one of many pipelines that ask at once, and tells all the others whose it is', async ({ writer, other, scope }) => {
    for (let round = 0; round < 4; round++) {
      const topicId = `${scope.topicId}-${round}`
      const outcomes = await Promise.allSettled(range(0, 6).map((index) => (index % 2 === 0 ? writer : other).claimTable({ pipeline: `${scope.pipeline}-${index}`, topicId, topic: 'rides' })))
      const winners = range(0, 6).filter((index) => outcomes[index]?.status === 'fulfilled')

      assert.equal(winners.length, 1, 'one of six')
      const holder = `${scope.pipeline}-${winners[0]}`
      for (const one of [writer, other]) assert.equal(await one.tableHolder(topicId), holder)
      for (const outcome of outcomes) if (outcome.status === 'rejected') await assertTaken(Promise.reject(outcome.reason as unknown), holder)
    }
  }),

  turnCase('takes whoever wrote last for the one that has a table which nobody has claimed, as before there were claims', async ({ writer, other, scope }) => {
    await writer.takeTurn(claimOf(scope, 3n))

    assert.equal(await other.tableHolder(scope.topicId), scope.pipeline)
    await assertTaken(other.claimTable({ pipeline: `${scope.pipeline}-2`, topicId: scope.topicId, topic: 'rides' }), scope.pipeline)
    await writer.claimTable({ pipeline: scope.pipeline, topicId: scope.topicId, topic: 'rides' })
  }),

  turnCase('refuses a batch with a bad row under a turn as it does without', async (bench) => {
    const { fixture, writer, scope } = bench
    const turn = await writer.takeTurn(claimOf(scope, 1n))
    const rows = [fixture.makeRow(0), fixture.makeRefusedRow(1)]
    const error = await assertRejected(writer.write({ rows, token: uniqueName('token'), turn }), 'ValidationError', 'a batch with a bad row')
    assert.equal(error.retryable, false)
    await assertStored(bench, [])
  }),

  turnCase('tells the last offset that is stored', async (bench) => {
    const { writer, scope, topic, partition } = bench
    await write(bench, writer, await writer.takeTurn(claimOf(scope, 1n)), [3, 9, 5])

    assert.equal(await writer.lastStored({ topic, partition, firstOffset: 0n }), 9n)
    assert.equal(await writer.lastStored({ topic, partition, firstOffset: 9n }), 9n)
    assert.equal(await writer.lastStored({ topic, partition, firstOffset: 10n }), null)
    assert.equal(await writer.lastStored({ topic: `${topic}x`, partition, firstOffset: 0n }), null)
    assert.equal(await writer.lastStored({ topic, partition: partition + 1, firstOffset: 0n }), null)
  }),

  turnCase('takes no turn for a signal that has already aborted', async (bench) => {
    const { writer, scope } = bench
    await assertAborted(writer.takeTurn(claimOf(scope, 1n), { signal: AbortSignal.abort() }), 'takeTurn')
    assert.equal(await writer.latestTurn(scope), null)
  }),
]
