import assert from 'node:assert/strict'
import type { ClaimedTable, SliceClaim, SliceScope } from '../slice-ledger.ts'
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

  ledgerCase('gives a table to other partitions, topics and workers, and another table to other pipelines', async (bench) => {
    const { scope } = bench
    const others: Partial<SliceScope & ClaimedTable>[] = [{ partition: 1 }, { topicId: `${scope.topicId}-2`, topic: 'trips' }, { table: 'trips' }, { pipeline: scope.pipeline }]
    for (const other of others) assert.equal((await claimTwice(bench, other)).status, 'fulfilled', JSON.stringify(other))
  }),

  ledgerCase('lets one of two pipelines that begin at once have the table, and the other one never', async ({ ledger, scope, restart }) => {
    const other = await restart()
    const into = { table: 'rides', topic: 'rides' }
    const rival = { ...scope, pipeline: `${scope.pipeline}-2` }
    const outcomes = await Promise.allSettled([ledger.claim(scope, 'worker-1', { into }), other.claim(rival, 'worker-2', { into })])

    if (ledger.keepsTablesApart !== true) return
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1, 'one of two')
    const [winner, loser] = outcomes[0]?.status === 'fulfilled' ? [scope, rival] : [rival, scope]
    for (let again = 0; again < 2; again++) {
      await ledger.claim(winner, 'worker-3', { into })
      const error = await assertRejected(other.claim(loser, 'worker-4', { into }), 'OperationError', 'a further claim of the other one')
      assert.equal(error.code, 'ERR_TABLE_TAKEN')
    }
  }),

  ledgerCase('gives a table up that its pipeline no longer writes to', async ({ ledger, scope, restart }) => {
    const rival = { ...scope, pipeline: `${scope.pipeline}-2` }
    await ledger.claim(scope, 'worker-1', { into: { table: 'rides', topic: 'rides' } })
    await ledger.claim(scope, 'worker-1', { into: { table: 'trips', topic: 'rides' } })
    await (await restart()).claim(rival, 'worker-2', { into: { table: 'rides', topic: 'rides' } })
    await ledger.claim(scope, 'worker-1')
    await ledger.claim({ ...rival, pipeline: `${scope.pipeline}-3` }, 'worker-3', { into: { table: 'trips', topic: 'rides' } })
  }),
]
