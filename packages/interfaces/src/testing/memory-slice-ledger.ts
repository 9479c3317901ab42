import { abortedError, ValidationError } from '../errors.ts'
import { type ClaimOptions, type ClaimedTable, type RecordOptions, type Slice, type SliceClaim, type SliceLedger, type SliceScope, type SliceState, staleEpochError, tableTakenError } from '../slice-ledger.ts'

/** What outlives a {@link MemorySliceLedger}: hand it to the next one to try a restart. */
export class MemoryLedgerStore {
  /** Scope as text to state. */
  readonly states = new Map<string, SliceState>()
  /** Scope as text to where its rows go. */
  readonly tables = new Map<string, ClaimedTable & { readonly scope: SliceScope }>()
}

/** The reference {@link SliceLedger}: every rule of the contract and nothing else, in the memory of one process. */
export class MemorySliceLedger implements SliceLedger {
  readonly keepsTablesApart = true
  readonly #store: MemoryLedgerStore

  constructor(store: MemoryLedgerStore = new MemoryLedgerStore()) {
    this.#store = store
  }

  async claim(scope: SliceScope, owner: string, options: ClaimOptions = {}): Promise<SliceClaim> {
    refuseAborted(options.signal)
    this.#takeTable(scope, options.into)
    const known = this.#store.states.get(keyOf(scope))
    const state: SliceState = {
      nextOffset: known?.nextOffset ?? options.startOffset ?? 0n,
      inFlight: known?.inFlight ?? null,
      epoch: larger(known?.epoch ?? 0n, options.aboveEpoch ?? 0n) + 1n,
      owner,
    }
    this.#store.states.set(keyOf(scope), state)
    return { scope: { ...scope }, ...state }
  }

  async record(claim: SliceClaim, slice: Slice, options: RecordOptions = {}): Promise<void> {
    refuseAborted(options.signal)
    const state = this.#owned(claim)
    if (options.expectedOffset !== undefined && state.nextOffset !== options.expectedOffset) throw staleEpochError(claim.scope, claim.epoch)
    if (slice.lastOffset < slice.firstOffset) throw refusal('lastOffset', `${rangeOf(slice)} ends before it begins`)
    if (slice.firstOffset < state.nextOffset) throw refusal('firstOffset', `${rangeOf(slice)} begins before ${state.nextOffset}, the next one to do`)
    if (state.inFlight !== null && !sameRange(state.inFlight, slice)) {
      throw refusal('firstOffset', `${rangeOf(slice)} can't be recorded while ${rangeOf(state.inFlight)} is in flight`)
    }
    this.#store.states.set(keyOf(claim.scope), { ...state, inFlight: { ...slice, excluded: [...slice.excluded] } })
  }

  async complete(claim: SliceClaim, slice: Slice, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    refuseAborted(options.signal)
    const state = this.#owned(claim)
    const { inFlight } = state
    if (inFlight === null || !sameRange(inFlight, slice) || inFlight.token !== slice.token) {
      throw refusal('firstOffset', `${rangeOf(slice)} is not in flight under the token "${slice.token}"`)
    }
    this.#store.states.set(keyOf(claim.scope), { ...state, nextOffset: slice.lastOffset + 1n, inFlight: null })
  }

  async inspect(scope: SliceScope, options: { signal?: AbortSignal | undefined } = {}): Promise<SliceState | null> {
    refuseAborted(options.signal)
    return this.#store.states.get(keyOf(scope)) ?? null
  }

  #takeTable(scope: SliceScope, into: ClaimedTable | undefined): void {
    const { tables } = this.#store
    const isSame = (other: SliceScope): boolean => other.topicId === scope.topicId && other.partition === scope.partition
    const holder = [...tables.values()].find((taken) => taken.table === into?.table && isSame(taken.scope) && taken.scope.pipeline !== scope.pipeline)
    if (into !== undefined && holder !== undefined) throw tableTakenError({ ...into, store: 'PostgreSQL', scope, holder: holder.scope.pipeline })
    if (into === undefined) tables.delete(keyOf(scope))
    else tables.set(keyOf(scope), { ...into, scope: { ...scope } })
  }

  #owned({ scope, epoch }: SliceClaim): SliceState {
    const state = this.#store.states.get(keyOf(scope))
    if (state === undefined || state.epoch !== epoch) throw staleEpochError(scope, epoch)
    return state
  }
}

const keyOf = ({ pipeline, topicId, partition }: SliceScope): string => JSON.stringify([pipeline, topicId, partition])

const larger = (one: bigint, other: bigint): bigint => (one > other ? one : other)

const sameRange = (one: Slice, other: Slice): boolean => one.firstOffset === other.firstOffset && one.lastOffset === other.lastOffset

const rangeOf = ({ firstOffset, lastOffset }: Slice): string => `the range ${firstOffset}–${lastOffset}`

function refusal(field: string, message: string): ValidationError {
  return new ValidationError(message, { issues: [{ path: [field], message }] })
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError('the ledger entry', signal)
}
