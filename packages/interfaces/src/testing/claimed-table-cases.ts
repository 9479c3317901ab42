import assert from 'node:assert/strict'
import type { ClaimedTable, SliceClaim, SliceLedger, SliceScope } from '../slice-ledger.ts'
import { assertRejected } from './assert-error.ts'
import type { ContractSuite } from './contract-case.ts'
import { ledgerCase, type LedgerBench, type SliceLedgerSubject } from './slice-ledger-bench.ts'

/** The claims of two pipelines for one table, and what became of the second one. */
async function claimTwice(bench: LedgerBench, other: Partial<SliceScope & ClaimedTable>): Promise<PromiseSettledResult<SliceClaim>> {
  const { ledger, scope, restart } = bench
  const { table = 'rides', topic = 'rides', ...rest } = other
  await ledger.claim(scope, 'worker-1', { into: { table: 'rides', topic: 'rides' } })
  const [outcome] = await Promise.allSettled([(await restart()).claim({ ...scope, pipeline: `${scope.pipeline}-2`, ...rest }, 'worker-2', { into: { table, topic } })])
  return outcome as PromiseSettledResult<SliceClaim>
}

/** Who may claim a partition for which table. Part of `sliceLedgerContract`. */
export const claimedTableCases: ContractSuite<SliceLedgerSubject> = [
  ledgerCase('gives a partition to no second pipeline for the same table, where it keeps tables apart', async (bench) => {
    const { ledger, scope } = bench
    const outcome = await claimTwice(bench, {})

    if (ledger.keepsTablesApart !== true) return void assert.equal(outcome.status, 'fulfilled')
    const error = await assertRejected(outcome.status === 'rejected' ? Promise.reject(outcome.reason as unknown) : Promise.resolve(), 'OperationError', 'the claim of a second pipeline')
    assert.equal(error.code, 'ERR_TABLE_TAKEN')
    assert.equal(error.retryable, false, 'waiting mends nothing')
    for (const named of [scope.pipeline, `${scope.pipeline}-2`, 'rides', 'take-over']) assert.ok(error.message.includes(named), `the message names ${named}`)
    assert.equal(await ledger.inspect({ ...scope, pipeline: `${scope.pipeline}-2` }), null, 'nothing is known of a pipeline that was refused')
  }),

  ledgerCase('gives a table to other partitions and workers of its pipeline, for other topics, and another table to other pipelines', async (bench) => {
    const { scope } = bench
    const others: Partial<SliceScope & ClaimedTable>[] = [{ pipeline: scope.pipeline, partition: 1 }, { topicId: `${scope.topicId}-2`, topic: 'trips' }, { table: 'trips' }, { pipeline: scope.pipeline }]
    for (const other of others) assert.equal((await claimTwice(bench, other)).status, 'fulfilled', JSON.stringify(other))
  }),

  ledgerCase('gives no partition to a pipeline that has not the table, also where the other one has claimed none', async ({ ledger, scope, restart }) => {
    if (ledger.keepsTablesApart !== true) return
    const [into, other] = [{ table: 'rides', topic: 'rides' }, await restart()]
    await ledger.claimTable?.({ ...into, pipeline: scope.pipeline, topicId: scope.topicId })

    for (const partition of [0, 1]) await assertTaken(other.claim({ ...scope, pipeline: `${scope.pipeline}-2`, partition }, 'worker-2', { into }))
    await assertTaken(other.claimTable?.({ ...into, pipeline: `${scope.pipeline}-2`, topicId: scope.topicId }) ?? Promise.resolve())
    for (const partition of [1, 0]) await other.claim({ ...scope, partition }, 'worker-3', { into })
  }),

  ledgerCase('lets one of many pipelines that begin at once over several partitions have the table, and all of them', async ({ ledger, scope, restart }) => {
    if (ledger.keepsTablesApart !== true) return
    const [into, pipelines] = [{ table: 'rides', topic: 'rides' }, [0, 1, 2, 3].map((index) => `${scope.pipeline}-${index}`)]
    const ledgers = [ledger, await restart()]
    const claims = pipelines.flatMap((pipeline, index) => [0, 1, 2].map((step) => ({ ...scope, pipeline, partition: (index + step) % 3 })))
    const outcomes = await Promise.allSettled(claims.map((claim, index) => (ledgers[index % 2] as SliceLedger).claim(claim, 'worker', { into })))

    const winners = new Set(claims.filter((_claim, index) => outcomes[index]?.status === 'fulfilled').map(({ pipeline }) => pipeline))
    assert.equal(winners.size, 1, 'one of four')
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 3, 'with all partitions')
    for (const { pipeline, partition } of claims) {
      const again = (ledgers[0] as SliceLedger).claim({ ...scope, pipeline, partition }, 'worker-2', { into })
      await (winners.has(pipeline) ? again : assertTaken(again))
    }
  }),

  ledgerCase('keeps a table for the pipeline that had it, though that writes to another one by now', async ({ ledger, scope, restart }) => {
    if (ledger.keepsTablesApart !== true) return
    const rival = { ...scope, pipeline: `${scope.pipeline}-2` }
    await ledger.claim(scope, 'worker-1', { into: { table: 'rides', topic: 'rides' } })
    await ledger.claim(scope, 'worker-1', { into: { table: 'trips', topic: 'rides' } })

    for (const table of ['rides', 'trips']) await assertTaken((await restart()).claim(rival, 'worker-2', { into: { table, topic: 'rides' } }))
    await ledger.claim(scope, 'worker-1', { into: { table: 'rides', topic: 'rides' } })
  }),

  ledgerCase('leaves it to another store whose its tables are', async ({ ledger, scope, restart }) => {
    const into: ClaimedTable = { table: 'rides "of" 2001', topic: 'rides', store: 'ClickHouse' }
    const rival = { ...scope, pipeline: `${scope.pipeline}-2` }
    await ledger.claimTable?.({ ...into, pipeline: scope.pipeline, topicId: scope.topicId })

    for (const each of [scope, rival, scope]) await (await restart()).claim(each, 'worker-1', { into })
    await ledger.claimTable?.({ ...into, pipeline: rival.pipeline, topicId: scope.topicId })

    for (const each of [scope, rival]) assert.notEqual(await ledger.inspect(each), null)
  }),
]

async function assertTaken(promise: Promise<unknown>): Promise<void> {
  const error = await assertRejected(promise, 'OperationError', 'a claim for a table that another pipeline has')
  assert.equal(error.code, 'ERR_TABLE_TAKEN')
}
