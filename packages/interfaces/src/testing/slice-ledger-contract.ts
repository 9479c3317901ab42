import assert from 'node:assert/strict'
import type { Slice, SliceClaim, SliceLedger, SliceScope, SliceState } from '../slice-ledger.ts'
import { assertAborted, assertRejected } from './assert-error.ts'
import { claimedTableCases } from './claimed-table-cases.ts'
import type { ContractSuite } from './contract-case.ts'
import { ledgerCase, type SliceLedgerSubject } from './slice-ledger-bench.ts'

function slice(firstOffset: bigint, lastOffset: bigint, token = `t-${firstOffset}-${lastOffset}`, excluded: readonly bigint[] = []): Slice {
  return { firstOffset, lastOffset, token, excluded }
}

/** Only what the contract names: an implementation may carry more. */
function plain(state: SliceState | null): SliceState | null {
  if (state === null) return null
  const { nextOffset, inFlight, epoch, owner } = state
  if (inFlight === null) return { nextOffset, inFlight, epoch, owner }
  const { firstOffset, lastOffset, token, excluded, deadLettersFrom, recordedBy } = inFlight
  const letters = deadLettersFrom === undefined ? {} : { deadLettersFrom: { partition: deadLettersFrom.partition, offset: deadLettersFrom.offset } }
  return { nextOffset, inFlight: { firstOffset, lastOffset, token, excluded: [...excluded], ...letters, ...(recordedBy === undefined ? {} : { recordedBy }) }, epoch, owner }
}

async function assertState(ledger: SliceLedger, scope: SliceScope, expected: Partial<SliceState>): Promise<void> {
  const state = plain(await ledger.inspect(scope))
  assert.ok(state !== null, 'the ledger knows the partition')
  assert.deepEqual({ ...state, ...expected }, state)
}

async function assertStale(promise: Promise<unknown>, what: string): Promise<void> {
  const error = await assertRejected(promise, 'OperationError', what)
  assert.equal(error.code, 'ERR_STALE_EPOCH', `${what} must fail with ERR_STALE_EPOCH`)
  assert.equal(error.retryable, false, 'a claim that was taken over is not worth a retry')
}

const claimCases: ContractSuite<SliceLedgerSubject> = [
  ledgerCase('knows nothing of a partition that nobody claimed', async ({ ledger, scope }) => {
    assert.equal(await ledger.inspect(scope), null)
  }),

  ledgerCase('begins a new partition at the given offset, or at 0', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1', { startOffset: 42n })
    assert.deepEqual(claim.scope, scope)
    assert.equal(claim.nextOffset, 42n)
    assert.equal(claim.inFlight, null)
    assert.equal(claim.owner, 'worker-1')
    await assertState(ledger, scope, { nextOffset: 42n, inFlight: null, owner: 'worker-1', epoch: claim.epoch })

    const other = await ledger.claim({ ...scope, partition: 1 }, 'worker-1')
    assert.equal(other.nextOffset, 0n)
  }),

  ledgerCase('goes on where the partition stands, whatever start is given', async ({ ledger, scope }) => {
    const first = await ledger.claim(scope, 'worker-1', { startOffset: 10n })
    await ledger.record(first, slice(10n, 19n))
    await ledger.complete(first, slice(10n, 19n))

    const second = await ledger.claim(scope, 'worker-2', { startOffset: 5n })

    assert.equal(second.nextOffset, 20n)
    assert.equal(second.owner, 'worker-2')
  }),

  ledgerCase('does not begin anew what it knew once, and knows no more', async ({ ledger, scope }) => {
    await assertStale(ledger.claim(scope, 'worker-1', { isKnown: true }), 'a claim of what the ledger knows no more')
    assert.equal(await ledger.inspect(scope), null)
  }),

  ledgerCase('gives each claim a larger epoch, also to the same owner', async ({ ledger, scope }) => {
    const epochs: bigint[] = []
    for (let round = 0; round < 3; round++) epochs.push((await ledger.claim(scope, 'worker-1')).epoch)
    assert.ok(epochs.every((epoch, index) => index === 0 || epoch > (epochs[index - 1] as bigint)), `epochs grow: ${epochs.join(', ')}`)
  }),

  ledgerCase('gives an epoch above the one that it is told of, and goes on from there', async ({ ledger, scope }) => {
    const first = await ledger.claim(scope, 'worker-1', { aboveEpoch: 41n })
    assert.equal(first.epoch, 42n)
    await ledger.record(first, slice(0n, 9n))
    await assertState(ledger, scope, { epoch: 42n, inFlight: slice(0n, 9n) })

    const second = await ledger.claim(scope, 'worker-2', { aboveEpoch: 7n })
    assert.equal(second.epoch, 43n)
    await assertStale(ledger.complete(first, slice(0n, 9n)), 'a complete of the former owner')
    await ledger.complete(second, slice(0n, 9n))
  }),

  ledgerCase('keeps pipelines, topics and partitions apart', async ({ ledger, scope }) => {
    const scopes = [scope, { ...scope, partition: 1 }, { ...scope, topicId: `${scope.topicId}x` }, { ...scope, pipeline: `${scope.pipeline}x` }]
    const claims: SliceClaim[] = []
    for (const one of scopes) claims.push(await ledger.claim(one, 'worker-1'))
    for (const [index, claim] of claims.entries()) await ledger.record(claim, slice(0n, BigInt(index)))
    for (const [index, one] of scopes.entries()) {
      await assertState(ledger, one, { inFlight: slice(0n, BigInt(index)), epoch: claims[index]?.epoch as bigint })
    }
  }),

  ledgerCase('takes any text for names and tokens', async ({ ledger, scope }) => {
    const odd = { ...scope, pipeline: `${scope.pipeline} "'; -- 🐳`, topicId: `${scope.topicId}\\n\n{}` }
    const token = 'to"k\'en; -- 🐳 \\'
    const claim = await ledger.claim(odd, "o'wner \"1\"; --")
    await ledger.record(claim, slice(0n, 1n, token))
    await assertState(ledger, odd, { inFlight: slice(0n, 1n, token), owner: "o'wner \"1\"; --" })
    await ledger.complete(claim, slice(0n, 1n, token))
    await assertState(ledger, odd, { inFlight: null, nextOffset: 2n })
  }),

  ledgerCase('gives exactly one of two claimers at once the right to write', async ({ ledger, scope, restart }) => {
    const other = await restart()
    for (let round = 0n; round < 10n; round++) {
      const [one, two] = await Promise.all([ledger.claim(scope, 'worker-1'), other.claim(scope, 'worker-2')])
      assert.notEqual(one.epoch, two.epoch)
      const next = slice(round, round)
      const outcomes = await Promise.allSettled([ledger.record(one, next), other.record(two, next)])
      const winner = one.epoch > two.epoch ? 0 : 1
      assert.equal(outcomes[winner]?.status, 'fulfilled', 'the newer claim may write')
      assert.equal(outcomes[1 - winner]?.status, 'rejected', 'the older claim may not')
      await (winner === 0 ? ledger.complete(one, next) : other.complete(two, next))
    }
    await assertState(ledger, scope, { nextOffset: 10n, inFlight: null })
  }),

  ledgerCase('gives each of many claimers at once an epoch of its own', async ({ ledger, scope }) => {
    const claims = await Promise.all(Array.from({ length: 20 }, (_value, index) => ledger.claim(scope, `worker-${index}`)))
    assert.equal(new Set(claims.map((claim) => claim.epoch)).size, 20)
    const newest = claims.reduce((one, other) => (one.epoch > other.epoch ? one : other))
    await assertState(ledger, scope, { epoch: newest.epoch, owner: newest.owner })
  }),
]

const recordCases: ContractSuite<SliceLedgerSubject> = [
  ledgerCase('remembers the slice in flight exactly, and moves on when it is done', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1')
    const recorded = slice(0n, 99n, 'token', [3n, 50n, 99n])

    await ledger.record(claim, recorded)
    await assertState(ledger, scope, { nextOffset: 0n, inFlight: recorded })
    await ledger.complete(claim, recorded)

    await assertState(ledger, scope, { nextOffset: 100n, inFlight: null, epoch: claim.epoch })
  }),

  ledgerCase('keeps offsets beyond 2⁵³ exact', async ({ ledger, scope }) => {
    const first = 9_007_199_254_740_993n
    const last = 9_223_372_036_854_775_806n
    const claim = await ledger.claim(scope, 'worker-1', { startOffset: first })
    assert.equal(claim.nextOffset, first)
    const recorded = slice(first, last, 'token', [first, first + 2n, last])
    await ledger.record(claim, recorded)
    await assertState(ledger, scope, { inFlight: recorded })
    await ledger.complete(claim, recorded)
    await assertState(ledger, scope, { nextOffset: 9_223_372_036_854_775_807n })
  }),

  ledgerCase('keeps an amendment that was recorded before an earlier request arrives, which was held up', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1')
    await ledger.record(claim, slice(0n, 9n, 'first'), { replaces: [] })
    await ledger.record(claim, slice(0n, 9n, 'first'), { replaces: ['first'] })
    await ledger.record(claim, slice(0n, 9n, 'second', [3n]), { replaces: ['first'] })
    await ledger.record(claim, slice(0n, 9n, 'second', [3n]), { replaces: ['first'] })

    await assertStale(ledger.record(claim, slice(0n, 9n, 'first'), { replaces: [] }), 'the record that was held up')

    await assertState(ledger, scope, { inFlight: slice(0n, 9n, 'second', [3n]) })
  }),

  ledgerCase('amends the token and the exclusions of the same range', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1')
    await ledger.record(claim, slice(0n, 9n, 'first'))
    await ledger.record(claim, slice(0n, 9n, 'second', [4n]))

    await assertState(ledger, scope, { inFlight: slice(0n, 9n, 'second', [4n]) })
    await assertRejected(ledger.complete(claim, slice(0n, 9n, 'first')), 'ValidationError', 'completing under the token that was amended')
    await ledger.complete(claim, slice(0n, 9n, 'second', [4n]))
    await assertState(ledger, scope, { nextOffset: 10n, inFlight: null })
  }),

  ledgerCase('remembers where the dead letters of a slice are to be looked for', async ({ ledger, scope, restart }) => {
    const deadLettersFrom = { partition: 3, offset: 9_007_199_254_740_993n }
    const recorded: Slice = { ...slice(0n, 9n, 'first', [4n]), deadLettersFrom }
    await ledger.record(await ledger.claim(scope, 'worker-1'), recorded)
    await assertState(ledger, scope, { inFlight: recorded })

    const after = await restart()
    const claim = await after.claim(scope, 'worker-2')
    assert.deepEqual(plain(claim)?.inFlight, recorded)
    await after.record(claim, slice(0n, 9n, 'second'))
    await assertState(after, scope, { inFlight: slice(0n, 9n, 'second') })
  }),

  ledgerCase('remembers which pipeline recorded a slice that another one goes on with', async ({ ledger, scope, restart }) => {
    for (const more of [{}, { deadLettersFrom: { partition: 3, offset: 7n } }]) {
      const recorded: Slice = { ...slice(0n, 9n, 'first', [4n]), recordedBy: 'büsy "1"\\', ...more }
      await ledger.record(await ledger.claim(scope, 'worker-1'), recorded)
      assert.deepEqual(plain(await (await restart()).claim(scope, 'worker-2'))?.inFlight, recorded)
    }
  }),

  ledgerCase('takes the same record twice', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1')
    await ledger.record(claim, slice(0n, 9n))
    await ledger.record(claim, slice(0n, 9n))
    await assertState(ledger, scope, { inFlight: slice(0n, 9n), nextOffset: 0n })
  }),

  ledgerCase('takes a range that leaves offsets out, as a compacted topic does', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1')
    await ledger.record(claim, slice(5n, 9n))
    await ledger.complete(claim, slice(5n, 9n))
    await assertState(ledger, scope, { nextOffset: 10n })
  }),

  ledgerCase('refuses a slice of a claimer who left the ledger elsewhere: it has lost commits', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1')
    await ledger.record(claim, slice(0n, 9n), { expectedOffset: 0n })
    await ledger.complete(claim, slice(0n, 9n))

    await assertStale(ledger.record(claim, slice(20n, 29n), { expectedOffset: 20n }), 'a record behind what the ledger has')
    await assertState(ledger, scope, { nextOffset: 10n, inFlight: null })
    await ledger.record(claim, slice(20n, 29n), { expectedOffset: 10n })
    await assertState(ledger, scope, { nextOffset: 10n, inFlight: slice(20n, 29n) })
  }),

  ledgerCase('refuses another range while one is in flight', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1')
    await ledger.record(claim, slice(0n, 9n))
    for (const other of [slice(0n, 8n), slice(0n, 10n), slice(1n, 9n), slice(10n, 19n)]) {
      await assertRejected(ledger.record(claim, other), 'ValidationError', `${other.firstOffset}–${other.lastOffset} while 0–9 is in flight`)
    }
    await assertState(ledger, scope, { inFlight: slice(0n, 9n) })
  }),

  ledgerCase('refuses a range that begins before what is done, or ends before it begins', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1', { startOffset: 10n })
    await assertRejected(ledger.record(claim, slice(9n, 19n)), 'ValidationError', 'a range that begins before the next offset')
    await assertRejected(ledger.record(claim, slice(12n, 11n)), 'ValidationError', 'a range that ends before it begins')
    await assertState(ledger, scope, { nextOffset: 10n, inFlight: null })
  }),

  ledgerCase('refuses to complete what is not in flight, also when it was completed before', async ({ ledger, scope }) => {
    const claim = await ledger.claim(scope, 'worker-1')
    await assertRejected(ledger.complete(claim, slice(0n, 9n)), 'ValidationError', 'completing what was never recorded')
    await ledger.record(claim, slice(0n, 9n))
    await assertRejected(ledger.complete(claim, slice(0n, 8n)), 'ValidationError', 'completing another range')
    await assertRejected(ledger.complete(claim, slice(0n, 9n, 'other')), 'ValidationError', 'completing under another token')
    await ledger.complete(claim, slice(0n, 9n))

    await assertRejected(ledger.complete(claim, slice(0n, 9n)), 'ValidationError', 'completing a second time')
    await assertState(ledger, scope, { nextOffset: 10n, inFlight: null })
  }),
]

const takeoverCases: ContractSuite<SliceLedgerSubject> = [
  ledgerCase('refuses record and complete of an owner that was taken over', async ({ ledger, scope }) => {
    const old = await ledger.claim(scope, 'worker-1')
    await ledger.record(old, slice(0n, 9n))
    const current = await ledger.claim(scope, 'worker-2')

    await assertStale(ledger.record(old, slice(0n, 9n, 'late')), 'a record of the former owner')
    await assertStale(ledger.complete(old, slice(0n, 9n)), 'a complete of the former owner')

    await assertState(ledger, scope, { nextOffset: 0n, inFlight: slice(0n, 9n), epoch: current.epoch, owner: 'worker-2' })
  }),

  ledgerCase('refuses a claim of the same owner that it has renewed', async ({ ledger, scope }) => {
    const old = await ledger.claim(scope, 'worker-1')
    await ledger.claim(scope, 'worker-1')
    await assertStale(ledger.record(old, slice(0n, 9n)), 'a record under the former claim')
  }),

  ledgerCase('hands the slice in flight to the next owner, who may complete it', async ({ ledger, scope, restart }) => {
    const recorded = slice(0n, 9n, 'token', [2n])
    await ledger.record(await ledger.claim(scope, 'worker-1'), recorded)

    const after = await restart()
    const claim = await after.claim(scope, 'worker-2', { startOffset: 7n })
    assert.deepEqual(plain(claim)?.inFlight, recorded)
    assert.equal(claim.nextOffset, 0n)
    await after.complete(claim, recorded)

    await assertState(await restart(), scope, { nextOffset: 10n, inFlight: null, owner: 'worker-2', epoch: claim.epoch })
  }),

  ledgerCase('does nothing for a signal that has already aborted', async ({ ledger, scope }) => {
    const signal = AbortSignal.abort()
    await assertAborted(ledger.claim(scope, 'worker-1', { signal }), 'claim')
    assert.equal(await ledger.inspect(scope), null)
    const claim = await ledger.claim(scope, 'worker-1')
    await assertAborted(ledger.record(claim, slice(0n, 9n), { signal }), 'record')
    await ledger.record(claim, slice(0n, 9n))
    await assertAborted(ledger.complete(claim, slice(0n, 9n), { signal }), 'complete')
    await assertState(ledger, scope, { inFlight: slice(0n, 9n), epoch: claim.epoch })
  }),
]

/** What every `SliceLedger` promises. */
export const sliceLedgerContract: ContractSuite<SliceLedgerSubject> = [...claimCases, ...recordCases, ...takeoverCases, ...claimedTableCases]
