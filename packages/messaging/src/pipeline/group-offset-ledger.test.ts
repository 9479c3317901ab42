import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type SliceLedger, type SliceScope, type SliceState, systemClock } from '@smart-whale/interfaces'
import { sliceLedgerContract, type SliceLedgerSubject } from '@smart-whale/interfaces/testing'
import { messagingError, messagingValidationError } from '../errors.ts'
import { runCall } from '../run-call.ts'
import type { CommittedOffset } from '../transport.ts'
import { createGroupOffsetLedger, type OffsetKeeper } from './group-offset-ledger.ts'
import { progressOfGroup } from './pipeline-progress.ts'
import { MAX_METADATA_LENGTH, MAX_SLICE_SPAN, metadataOf, stateOf } from './slice-metadata.ts'

/** A group's offsets, and who owns each partition. */
class GroupDouble {
  readonly committed = new Map<string, CommittedOffset>()
  readonly owners = new Map<string, symbol>()
  maxMetadata = MAX_METADATA_LENGTH
  #assigning: Promise<void> = Promise.resolve()

  /** The reader that a member gets; from then on those before it are fenced. */
  assign(scope: SliceScope): OffsetKeeper {
    const key = keyOf(scope)
    const owner = Symbol(key)
    this.owners.set(key, owner)
    return {
      topicId: scope.topicId,
      partition: scope.partition,
      committed: (options) => runCall('reading', options, systemClock, async () => this.committed.get(key) ?? null),
      commit: (offset, options) =>
        runCall('committing', options, systemClock, async () => {
          const metadata = options?.metadata ?? ''
          expect(metadata).toMatch(/^[\x20-\x7e]*$/)
          if (this.owners.get(key) !== owner) throw messagingError('ERR_MESSAGING_FENCED', 'taken from this member')
          if (metadata.length > this.maxMetadata) throw messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', 'too long', [{ path: ['metadata'], message: 'is too long' }])
          this.committed.set(key, { offset, metadata })
        }),
    }
  }

  /** As many partitions as the contract asks for. A claim comes with an assignment, and a group makes one after the other. */
  ledger(): SliceLedger {
    const ledgers = new Map<string, SliceLedger>()
    const held = (scope: SliceScope): SliceLedger => ledgers.get(keyOf(scope)) ?? createGroupOffsetLedger(this.#observe(scope))
    return {
      maxSpan: MAX_SLICE_SPAN,
      claim: async (scope, owner, options) => {
        const before = this.#assigning
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#assigning = promise
        await before
        const isAborted = options?.signal?.aborted === true
        const ledger = createGroupOffsetLedger(isAborted ? this.#observe(scope) : this.assign(scope))
        if (!isAborted) ledgers.set(keyOf(scope), ledger)
        return ledger.claim(scope, owner, options).finally(resolve)
      },
      record: (claim, slice, options) => held(claim.scope).record(claim, slice, options),
      complete: (claim, slice, options) => held(claim.scope).complete(claim, slice, options),
      inspect: (scope, options) => createGroupOffsetLedger(this.#observe(scope)).inspect(scope, options),
    }
  }

  /** Reads what is committed, without being a member. */
  #observe(scope: SliceScope): OffsetKeeper {
    const owner = this.owners.get(keyOf(scope))
    const keeper = this.assign(scope)
    if (owner === undefined) this.owners.delete(keyOf(scope))
    else this.owners.set(keyOf(scope), owner)
    return keeper
  }
}

const keyOf = ({ pipeline, topicId, partition }: SliceScope): string => JSON.stringify([pipeline, topicId, partition])

/** As long as those of Kafka and of the broker in memory ever are. */
const TOPIC_ID = '0f0e0d0c-0b0a-4908-8706-050403020100'

const scope: SliceScope = { pipeline: 'p', topicId: 't', partition: 0 }

describe('createGroupOffsetLedger', () => {
  const subject = (): SliceLedgerSubject => {
    const group = new GroupDouble()
    return { create: async () => group.ledger() }
  }

  it.each(sliceLedgerContract)('$name', ({ run }) => run(subject()))

  it('goes on from an offset that somebody else committed, and takes what is written beside it for nothing', async () => {
    const group = new GroupDouble()
    await group.assign(scope).commit(7n, { metadata: 'set by hand' })
    const claim = await createGroupOffsetLedger(group.assign(scope)).claim(scope, 'worker-1', { startOffset: 0n, aboveEpoch: 3n })

    expect(claim).toMatchObject({ nextOffset: 7n, inFlight: null, epoch: 4n })
  })

  it('knows nothing of a topic that was made again under its name, whatever the group has of the one before', async () => {
    const group = new GroupDouble()
    const before = createGroupOffsetLedger(group.assign(scope))
    await before.record(await before.claim(scope, 'worker-1'), { firstOffset: 0n, lastOffset: 9n, token: 't', excluded: [] })
    const again = { ...scope, topicId: 'another' }
    const keeper = { ...group.assign(scope), topicId: again.topicId }

    expect(await createGroupOffsetLedger(keeper).inspect(again)).toBeNull()
    expect(await createGroupOffsetLedger(keeper).claim(again, 'worker-2', { startOffset: 3n })).toMatchObject({ nextOffset: 3n, inFlight: null, epoch: 1n })
  })

  it('tells those who look on the same', async () => {
    const group = new GroupDouble()
    const ledger = createGroupOffsetLedger(group.assign(scope))
    const claim = await ledger.claim(scope, 'worker-1', { startOffset: 5n })
    const { offset, metadata } = group.committed.get(keyOf(scope)) as CommittedOffset
    const progress = progressOfGroup({ groupLag: async () => [{ partition: 0, committed: offset, metadata, latest: 9n, lag: 4n }] })

    expect(await progress.inspect({ ...scope, topic: 'events' })).toMatchObject({ nextOffset: 5n, epoch: claim.epoch })
    expect(await progress.inspect({ ...scope, topicId: 'another', topic: 'events' })).toBeNull()
  })

  it('is asked once for all partitions that are looked at together, and anew the next time', async () => {
    let asked = 0
    const groupLag = async () => {
      asked++
      return [0, 1, 2].map((partition) => ({ partition, committed: 5n, metadata: '', latest: 9n, lag: 4n }))
    }
    const progress = progressOfGroup({ groupLag })
    const look = () => Promise.all([0, 1, 2].map((partition) => progress.inspect({ ...scope, topic: 'events', partition })))

    await look()
    expect(asked).toBe(1)
    await Promise.all([look(), progress.inspect({ ...scope, topic: 'others' })])
    expect(asked).toBe(3)
  })

  it('takes the broker’s word after a commit whose answer was lost', async () => {
    const group = new GroupDouble()
    const keeper = group.assign(scope)
    let isLost = false
    const ledger = createGroupOffsetLedger({
      ...keeper,
      commit: async (offset, options) => {
        await keeper.commit(offset, options)
        if (isLost) throw messagingError('ERR_MESSAGING_TIMEOUT', 'no answer', { retryable: true })
      },
    })
    const claim = await ledger.claim(scope, 'worker-1')
    const slice = { firstOffset: 0n, lastOffset: 9n, token: 't', excluded: [] }
    isLost = true
    await expect(ledger.record(claim, slice)).rejects.toMatchObject({ code: 'ERR_MESSAGING_TIMEOUT' })
    isLost = false

    await ledger.complete(claim, slice)
    expect(await ledger.inspect(scope)).toMatchObject({ nextOffset: 10n, inFlight: null })
  })

  it('finds out when it claims that the broker has too little room, and names the setting', async () => {
    const group = new GroupDouble()
    group.maxMetadata = 1000
    const claiming = createGroupOffsetLedger(group.assign(scope)).claim(scope, 'worker-1')
    await expect(claiming).rejects.toMatchObject({ code: 'ERR_MESSAGING_LEDGER_FULL', message: expect.stringContaining('offset.metadata.max.bytes') as string })
  })

  it('keeps its partition alone', async () => {
    const ledger = createGroupOffsetLedger(new GroupDouble().assign(scope))
    await expect(ledger.claim({ ...scope, partition: 1 }, 'worker-1')).rejects.toMatchObject({ name: 'ValidationError' })
  })
})

describe('what is stored beside an offset', () => {
  const offsets = (span: number): fc.Arbitrary<bigint[]> =>
    fc.oneof(
      fc.uniqueArray(fc.nat(span - 1), { maxLength: 50 }),
      fc.tuple(fc.integer({ min: 2, max: 9 }), fc.nat(8)).map(([step, start]) => Array.from({ length: span }, (_value, offset) => offset).filter((offset) => offset % step === start % step)),
    ).map((places) => places.sort((one, other) => one - other).map(BigInt))

  it('comes back as it was, and fits, whatever is excluded from a slice of the span that the ledger allows', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 62n), offsets(MAX_SLICE_SPAN), fc.uuid(), (firstOffset, places, owner) => {
        const slice = { firstOffset, lastOffset: firstOffset + BigInt(MAX_SLICE_SPAN) - 1n, token: `0-${firstOffset}-${firstOffset}-${'x'.repeat(24)}-again`, excluded: places.map((place) => firstOffset + place), deadLettersFrom: { partition: 999, offset: 2n ** 62n } }
        const state: SliceState = { nextOffset: firstOffset, inFlight: slice, epoch: 2n ** 62n, owner }
        const metadata = metadataOf(state, TOPIC_ID)

        expect(metadata.length).toBeLessThanOrEqual(MAX_METADATA_LENGTH)
        expect(stateOf({ offset: firstOffset, metadata }, TOPIC_ID)).toEqual(state)
      }),
      { numRuns: 100 },
    )
  })

  it('refuses a slice that does not fit', () => {
    const excluded = Array.from({ length: 40_000 }, (_value, index) => BigInt(index * 2 + (index % 7 === 0 ? 1 : 0)))
    const inFlight = { firstOffset: 0n, lastOffset: 100_000n, token: 't', excluded }
    expect(() => metadataOf({ nextOffset: 0n, inFlight, epoch: 1n, owner: 'o' }, TOPIC_ID)).toThrow(/there is room for 4096/)
  })
})
