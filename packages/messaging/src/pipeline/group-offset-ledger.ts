import {
  type ClaimOptions,
  ConfigurationError,
  InfrastructureError,
  type RecordOptions,
  type Slice,
  type SliceClaim,
  type SliceLedger,
  type SliceScope,
  type SliceState,
  staleEpochError,
  ValidationError,
} from '@smart-whale/interfaces'
import type { CommittedOffset, PartitionReader } from '../transport.ts'
import { MAX_METADATA_LENGTH, MAX_SLICE_SPAN, metadataOf, stateOf } from './slice-metadata.ts'

type Signalled = { signal?: AbortSignal | undefined }

/** The part of a reader that the ledger is kept by. */
export type OffsetKeeper = Pick<PartitionReader, 'topicId' | 'partition' | 'committed' | 'commit'>

/**
 * The {@link SliceLedger} in the consumer group itself, for a pipeline with ClickHouse alone: what is done is the committed offset, what is in
 * flight is the text beside it. One commit a step, and nothing else to run.
 *
 * The broker lets only the partition's owner commit, which decides every race between owners. A commit whose answer was lost may still land,
 * even after later ones; then the ledger goes back, and the pipeline finds out what ClickHouse has.
 */
export class GroupOffsetLedger implements SliceLedger {
  readonly maxSpan = MAX_SLICE_SPAN
  readonly #keeper: OffsetKeeper
  /** As committed last; null when that isn't known. */
  #state: SliceState | null = null

  constructor(keeper: OffsetKeeper) {
    this.#keeper = keeper
  }

  async claim(scope: SliceScope, owner: string, options: ClaimOptions = {}): Promise<SliceClaim> {
    const { startOffset = 0n, aboveEpoch = 0n, isKnown = false, signal } = options
    this.#check(scope)
    const known = await this.#read(signal)
    if (isKnown && known === null) throw staleEpochError(scope, aboveEpoch)
    const epoch = (known !== null && known.epoch > aboveEpoch ? known.epoch : aboveEpoch) + 1n
    const state: SliceState = { nextOffset: known?.nextOffset ?? startOffset, inFlight: known?.inFlight ?? null, epoch, owner }
    // As long as it may ever get: a broker that allows less says so now, and not in the middle of the work.
    await this.#write(scope, state, metadataOf(state, scope.topicId).padEnd(MAX_METADATA_LENGTH), signal)
    return { scope: { ...scope }, ...state }
  }

  async record(claim: SliceClaim, slice: Slice, { signal, expectedOffset, replaces }: RecordOptions = {}): Promise<void> {
    const state = await this.#owned(claim, signal)
    if (expectedOffset !== undefined && state.nextOffset !== expectedOffset) throw staleEpochError(claim.scope, claim.epoch)
    if (slice.lastOffset < slice.firstOffset) throw refusal('lastOffset', `${rangeOf(slice)} ends before it begins`)
    if (slice.firstOffset < state.nextOffset) throw refusal('firstOffset', `${rangeOf(slice)} begins before ${state.nextOffset}, the next one to do`)
    if (state.inFlight !== null && !isSameRange(state.inFlight, slice)) {
      throw refusal('firstOffset', `${rangeOf(slice)} can't be recorded while ${rangeOf(state.inFlight)} is in flight: complete that first`)
    }
    if (replaces !== undefined && state.inFlight !== null && ![slice.token, ...replaces].includes(state.inFlight.token)) throw staleEpochError(claim.scope, claim.epoch)
    await this.#write(claim.scope, { ...state, inFlight: slice }, undefined, signal)
  }

  async complete(claim: SliceClaim, slice: Slice, { signal }: Signalled = {}): Promise<void> {
    const state = await this.#owned(claim, signal)
    const { inFlight } = state
    if (inFlight === null || !isSameRange(inFlight, slice) || inFlight.token !== slice.token) {
      throw refusal('firstOffset', `${rangeOf(slice)} is not in flight under the token "${slice.token}"`)
    }
    await this.#write(claim.scope, { ...state, nextOffset: slice.lastOffset + 1n, inFlight: null }, undefined, signal)
  }

  async inspect(scope: SliceScope, { signal }: Signalled = {}): Promise<SliceState | null> {
    this.#check(scope)
    return this.#read(signal)
  }

  /** What this instance wrote last; asked anew after a failure, which may have been written as well. */
  async #owned({ scope, epoch, owner }: SliceClaim, signal: AbortSignal | undefined): Promise<SliceState> {
    this.#check(scope)
    const state = this.#state ?? (await this.#read(signal))
    if (state === null || state.epoch !== epoch || state.owner !== owner) throw staleEpochError(scope, epoch)
    return state
  }

  async #read(signal: AbortSignal | undefined): Promise<SliceState | null> {
    const committed: CommittedOffset | null = await this.#keeper.committed({ signal })
    return committed === null ? null : stateOf(committed, this.#keeper.topicId)
  }

  async #write(scope: SliceScope, state: SliceState, metadata = metadataOf(state, scope.topicId), signal: AbortSignal | undefined): Promise<void> {
    this.#state = null
    try {
      await this.#keeper.commit(state.nextOffset, { metadata, signal })
    } catch (error) {
      throw explained(error, scope, state.epoch)
    }
    this.#state = state
  }

  #check({ topicId, partition }: SliceScope): void {
    const { topicId: ownTopic, partition: ownPartition } = this.#keeper
    if (topicId === ownTopic && partition === ownPartition) return
    throw refusal('scope', `the group's offset of topic ${ownTopic}, partition ${ownPartition} keeps that partition alone, not ${topicId}, partition ${partition}`)
  }
}

/** The ledger of one partition, over the reader that a group gave. */
export function createGroupOffsetLedger(keeper: OffsetKeeper): SliceLedger {
  return new GroupOffsetLedger(keeper)
}

function explained(error: unknown, scope: SliceScope, epoch: bigint): unknown {
  if (!InfrastructureError.isInstance(error)) return error
  if (error.code === 'ERR_MESSAGING_FENCED') return staleEpochError(scope, epoch)
  const isTooLong = ValidationError.isInstance(error) && error.issues.some(({ path }) => path[0] === 'metadata')
  if (!isTooLong) return error
  return new ConfigurationError(`the broker takes less than ${MAX_METADATA_LENGTH} characters beside an offset, too few for a pipeline without PostgreSQL to keep its slices there: set offset.metadata.max.bytes to ${MAX_METADATA_LENGTH}, its default`, {
    code: 'ERR_MESSAGING_LEDGER_FULL',
    cause: error,
  })
}

const isSameRange = (one: Slice, other: Slice): boolean => one.firstOffset === other.firstOffset && one.lastOffset === other.lastOffset

const rangeOf = ({ firstOffset, lastOffset }: Slice): string => `the range ${firstOffset}–${lastOffset}`

function refusal(field: string, message: string): ValidationError {
  return new ValidationError(message, { issues: [{ path: [field], message }] })
}
