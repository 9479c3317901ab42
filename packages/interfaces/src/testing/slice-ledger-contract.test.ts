import { describe, expect, it } from 'vitest'
import { OperationError } from '../errors.ts'
import type { Slice, SliceClaim, SliceLedger, SliceScope } from '../slice-ledger.ts'
import { failuresOf } from './doubles/failures-of.ts'
import { MemoryLedgerStore, MemorySliceLedger, sliceLedgerContract, type SliceLedgerSubject } from './index.ts'

/** Ledgers over one store, each changed by `change`. */
function subjectOf(change: (ledger: MemorySliceLedger, store: MemoryLedgerStore) => Partial<SliceLedger> = () => ({})): SliceLedgerSubject {
  const store = new MemoryLedgerStore()
  return {
    create: async () => {
      const ledger = new MemorySliceLedger(store)
      return Object.assign(ledger, change(ledger, store))
    },
  }
}

describe('sliceLedgerContract on the reference ledger', () => {
  it.each(sliceLedgerContract)('$name', ({ run }) => run(subjectOf()))
})

const original = MemorySliceLedger.prototype
const keyOf = (scope: SliceScope): string => JSON.stringify([scope.pipeline, scope.topicId, scope.partition])

/** The claim as if it were the newest. */
function renewed(store: MemoryLedgerStore, claim: SliceClaim): SliceClaim {
  return { ...claim, epoch: store.states.get(keyOf(claim.scope))?.epoch ?? claim.epoch }
}

type Change = NonNullable<Parameters<typeof subjectOf>[0]>

const broken: readonly [string, string, Change][] = [
  ['a record ignores the epoch', 'refuses record and complete of an owner', (ledger, store) => ({
    record: (claim, slice) => original.record.call(ledger, renewed(store, claim), slice),
  })],
  ['a complete ignores the epoch', 'refuses record and complete of an owner', (ledger, store) => ({
    complete: (claim, slice) => original.complete.call(ledger, renewed(store, claim), slice),
  })],
  ['the refusal has another code', 'refuses a claim of the same owner', (ledger) => ({
    record: (claim, slice) =>
      original.record.call(ledger, claim, slice).catch(() => {
        throw new OperationError('not yours')
      }),
  })],
  ['epochs don’t grow', 'a larger epoch', (ledger) => ({
    claim: async (scope, owner, options) => ({ ...(await original.claim.call(ledger, scope, owner, options)), epoch: 1n }),
  })],
  ['two claimers at once get the same epoch', 'one of two claimers', (ledger, store) => ({
    claim: async (scope, owner) => {
      const before = store.states.get(keyOf(scope))?.epoch ?? 0n
      await new Promise((resolve) => setImmediate(resolve))
      const claim = await original.claim.call(ledger, scope, owner)
      store.states.set(keyOf(scope), { ...claim, epoch: before + 1n })
      return { ...claim, epoch: before + 1n }
    },
  })],
  ['a known partition begins anew', 'goes on where the partition stands', (ledger, store) => ({
    claim: async (scope, owner, options = {}) => {
      const claim = await original.claim.call(ledger, scope, owner, options)
      const nextOffset = options.startOffset ?? claim.nextOffset
      store.states.set(keyOf(scope), { ...claim, nextOffset })
      return { ...claim, nextOffset }
    },
  })],
  ['a partition that was given away begins anew', 'what it knew once', (ledger) => ({
    claim: (scope, owner, { isKnown: _isKnown, ...options } = {}) => original.claim.call(ledger, scope, owner, options),
  })],
  ['an epoch is given out a second time', 'above the one that it is told of', (ledger) => ({
    claim: (scope, owner, { startOffset, signal } = {}) => original.claim.call(ledger, scope, owner, { startOffset, signal }),
  })],
  ['the place of dead letters is lost', 'where the dead letters of a slice', (ledger) => ({
    record: (claim, { firstOffset, lastOffset, token, excluded }) => original.record.call(ledger, claim, { firstOffset, lastOffset, token, excluded }),
  })],
  ['lost commits are not noticed', 'it has lost commits', (ledger) => ({ record: (claim, slice) => original.record.call(ledger, claim, slice) })],
  ['partitions are mixed up', 'topics and partitions apart', (ledger) => ({
    claim: (scope, owner) => original.claim.call(ledger, { ...scope, partition: 0 }, owner),
    inspect: (scope) => original.inspect.call(ledger, { ...scope, partition: 0 }),
  })],
  ['offsets become numbers', 'beyond 2⁵³', (ledger) => ({
    record: (claim, slice) => original.record.call(ledger, claim, { ...slice, lastOffset: BigInt(Number(slice.lastOffset)) }),
  })],
  ['exclusions are lost', 'slice in flight exactly', (ledger) => ({ record: (claim, slice) => original.record.call(ledger, claim, { ...slice, excluded: [] }) })],
  ['an amended token is dropped', 'amends the token', (ledger) => ({
    record: async (claim, slice) => {
      const state = await ledger.inspect(claim.scope)
      if (state?.inFlight?.firstOffset !== slice.firstOffset) await original.record.call(ledger, claim, slice)
    },
  })],
  ['a slice in flight is overwritten', 'another range while one is in flight', (ledger, store) => ({
    record: async (claim, slice) => {
      const state = store.states.get(keyOf(claim.scope))
      if (state) store.states.set(keyOf(claim.scope), { ...state, inFlight: null })
      await original.record.call(ledger, claim, slice)
    },
  })],
  ['what is done is recorded again', 'begins before what is done', (ledger, store) => ({
    record: async (claim, slice) => {
      const state = store.states.get(keyOf(claim.scope))
      if (state) store.states.set(keyOf(claim.scope), { ...state, inFlight: { ...slice } })
    },
  })],
  ['completing twice is accepted', 'not in flight', (ledger) => ({ complete: (claim, slice) => original.complete.call(ledger, claim, slice).catch(() => {}) })],
  ['completing under any token is accepted', 'not in flight', (ledger) => ({
    complete: async (claim: SliceClaim, slice: Slice) => {
      const state = await ledger.inspect(claim.scope)
      const recorded = state?.inFlight?.lastOffset === slice.lastOffset ? state.inFlight : slice
      await original.complete.call(ledger, claim, recorded)
    },
  })],
  ['a restart forgets the slice in flight', 'hands the slice in flight', (ledger) => ({
    claim: async (scope, owner, options) => ({ ...(await original.claim.call(ledger, scope, owner, options)), inFlight: null }),
  })],
  ['two pipelines share a table', 'no second pipeline', (ledger) => ({ claim: (scope, owner, { into: _into, ...options } = {}) => original.claim.call(ledger, scope, owner, options) })],
  ['a topic has a table for itself', 'for other topics', (ledger) => ({
    claim: (scope, owner, options = {}) => original.claim.call(ledger, { ...scope, topicId: options.into?.table ?? scope.topicId }, owner, options),
  })],
  ['a table has a pipeline for each partition', 'over several partitions', (ledger) => ({
    claimTable: (claim) => original.claimTable.call(ledger, { ...claim, topicId: `${claim.topicId}/${claim.pipeline}` }),
  })],
  ['a table that nobody writes to is anybody’s', 'has claimed none', (ledger, store) => ({
    claimTable: async (claim) => {
      if (store.states.size === 0) store.tables.clear()
      await original.claimTable.call(ledger, claim)
    },
  })],
  ['a pipeline gives its table up for another one', 'writes to another one by now', (ledger, store) => ({
    claimTable: async (claim) => {
      for (const [table, pipeline] of store.tables) if (pipeline === claim.pipeline) store.tables.delete(table)
      await original.claimTable.call(ledger, claim)
    },
  })],
  ['aborted signals are ignored', 'already aborted', (ledger) => ({ claim: (scope, owner) => original.claim.call(ledger, scope, owner) })],
]

describe('sliceLedgerContract on a ledger that breaks it', () => {
  it.each(broken)('notices that %s', async (_fault, only, change) => {
    const failed = await failuresOf(sliceLedgerContract, () => subjectOf(change), only)

    expect(failed).toHaveLength(1)
  })
})
