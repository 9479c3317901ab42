import { OperationError, type Slice, type SliceClaim, type SliceLedger, staleEpochError } from '@smart-whale/interfaces'
import type { PartitionHold } from './partition-hold.ts'
import { asRecorded, type SliceRecord } from './slice-records.ts'

/** A slice as it was sent, for as long as it is not known to be done. */
export interface SentSlice {
  readonly asRead: readonly SliceRecord[]
  /** Parted as the ledger has the slice. */
  records: readonly SliceRecord[]
  /** As the ledger has it in flight. */
  recorded: Slice | null
  /** Every token that it was to be recorded under, in order, and how many of them the ledger has confirmed. */
  readonly tokens: string[]
  confirmed: number
}

/** What the state of a sent slice is worked out with. */
export interface SentSliceWork {
  readonly ledger: SliceLedger
  /** Of the definition that made its rows. */
  readonly fingerprint: string
}

/** The ledger, and with it what became of each record of this slice. */
export function rememberTokens(ledger: SliceLedger, sent: SentSlice): SliceLedger {
  return {
    claim: (scope, owner, options) => ledger.claim(scope, owner, options),
    record: async (claim, slice, options) => {
      const replaces = [...sent.tokens]
      const place = sent.tokens.push(slice.token)
      await ledger.record(claim, slice, { ...options, replaces })
      sent.confirmed = place
    },
    complete: (claim, slice, options) => ledger.complete(claim, slice, options),
    inspect: (scope, options) => ledger.inspect(scope, options),
  }
}

/**
 * After a failure: whether the commit came through and only its answer was lost. If not, the slice is to be sent again as the ledger has it.
 * @throws `ERR_STALE_EPOCH` when somebody else holds the partition, or when the ledger has lost what it had confirmed
 */
export async function isDoneAfterAll({ ledger, fingerprint }: SentSliceWork, hold: PartitionHold, sent: SentSlice, signal: AbortSignal): Promise<boolean> {
  const { claim, doneUpTo } = hold
  await hold.renewTurn(signal)
  const state = await ledger.inspect(claim.scope, { signal })
  const last = sent.records.at(-1)?.offset ?? 0n
  if (state === null || state.epoch !== claim.epoch || state.owner !== claim.owner) throw staleEpochError(claim.scope, claim.epoch)
  if (state.nextOffset === last + 1n) return true
  // An earlier token than the last confirmed one, or none at all, is what a ledger has that went back.
  const known = state.inFlight === null ? 0 : sent.tokens.lastIndexOf(state.inFlight.token) + 1
  if (state.nextOffset !== doneUpTo || known < sent.confirmed || (state.inFlight !== null && known === 0)) throw wentBack(claim)
  // Also where the answer was lost: what is sent next rests on it.
  sent.confirmed = known
  sent.recorded = state.inFlight
  sent.records = state.inFlight === null ? sent.asRead : asRecorded(sent.asRead, state.inFlight, claim.scope, fingerprint)
  return false
}

/** The ledger no longer has what it had confirmed. */
export function wentBack({ scope }: SliceClaim): OperationError {
  return new OperationError(`the ledger of partition ${scope.partition} has lost what it had confirmed: the partition is claimed anew`, { code: 'ERR_MESSAGING_LEDGER_WENT_BACK' })
}
