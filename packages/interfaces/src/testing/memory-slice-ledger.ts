import { abortedError, ValidationError } from '../errors.ts'
import { type ClaimOptions, type RecordOptions, type Slice, type SliceClaim, type SliceLedger, type SliceScope, type SliceState, staleEpochError, type TableClaim, tableTakenError } from '../slice-ledger.ts'

/** What outlives a {@link MemorySliceLedger}: hand it to the next one to try a restart. */
export class MemoryLedgerStore {
  /** Scope as text to state. */
  readonly states = new Map<string, SliceState>()
  /** Table and topic as text to the pipeline that has it. */
  readonly tables = new Map<string, string>()
}

/** The reference {@link SliceLedger}: every rule of the contract and nothing else, in the memory of one process. */
export class MemorySliceLedger implements SliceLedger {
  readonly keepsTablesApart = true
  readonly #store: MemoryLedgerStore

  constructor(store: MemoryLedgerStore = new MemoryLedgerStore()) {
    this.#store = store
  }

  async claimTable(claim: TableClaim, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    refuseAborted(options.signal)
    // Whose a table of another store is, that store decides.
    const key = JSON.stringify([claim.table, claim.topicId, ...(claim.store === 'ClickHouse' ? [claim.pipeline] : [])])
    const holder = this.#store.tables.get(key) ?? claim.pipeline
    if (holder !== claim.pipeline) throw tableTakenError({ ...claim, store: 'PostgreSQL', holder })
    this.#store.tables.set(key, holder)
  }

  async claim(scope: SliceScope, owner: string, options: ClaimOptions = {}): Promise<SliceClaim> {
    refuseAborted(options.signal)
    if (options.into !== undefined) await this.claimTable({ ...options.into, pipeline: scope.pipeline, topicId: scope.topicId })
    const known = this.#store.states.get(keyOf(scope))
    if (options.isKnown === true && known === undefined) throw staleEpochError(scope, options.aboveEpoch ?? 0n)
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
    if (options.replaces !== undefined && state.inFlight !== null && ![slice.token, ...options.replaces].includes(state.inFlight.token)) throw staleEpochError(claim.scope, claim.epoch)
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
