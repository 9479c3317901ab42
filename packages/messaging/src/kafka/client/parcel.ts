import { abortedError } from '@smart-whale/interfaces'
import type { OutgoingRecord } from '../../transport.ts'

/** What became of some records of one partition. */
export type SendOutcome =
  | { readonly kind: 'stored'; readonly baseOffset: bigint }
  /** Surely not stored. */
  | { readonly kind: 'failed'; readonly error: unknown }
  /** They may be stored: they were on their way, and no answer told. */
  | { readonly kind: 'unknown'; readonly error: unknown }

/** So many records, in their order, had this outcome. */
export interface ParcelRun {
  readonly count: number
  readonly outcome: SendOutcome
}

/** Records of one send for one partition. */
export interface Parcel {
  readonly records: readonly OutgoingRecord[]
  readonly bytes: number
  /** Aborts when the sender's caller gives up. */
  readonly signal: AbortSignal
  /** The broker may have the records, and hasn't said so. */
  isInDoubt: boolean
  /** An attempt was in vain; the next one may not be. Who gives up before that is told why. */
  onFailedAttempt(error: unknown): void
  /** Says what became of the next `count` records. */
  report(count: number, outcome: SendOutcome): void
}

/** A parcel, and a promise of what becomes of it: when the signal aborts it tells at once what is known by then. */
export function openParcel(records: readonly OutgoingRecord[], bytes: number, signal: AbortSignal): { parcel: Parcel; outcome: Promise<readonly ParcelRun[]> } {
  const { promise, resolve } = Promise.withResolvers<readonly ParcelRun[]>()
  const runs: ParcelRun[] = []
  let left = records.length
  const report = (count: number, outcome: SendOutcome): void => {
    if (left === 0) return
    runs.push({ count, outcome })
    left -= count
    if (left > 0) return
    signal.removeEventListener('abort', giveUp)
    resolve(runs)
  }
  let failure: unknown
  const onFailedAttempt = (error: unknown): void => {
    failure = error
  }
  const parcel: Parcel = { records, bytes, signal, isInDoubt: false, onFailedAttempt, report }
  const giveUp = (): void => report(left, { kind: parcel.isInDoubt ? 'unknown' : 'failed', error: failure ?? abortedError('sending', signal) })
  if (signal.aborted) giveUp()
  else signal.addEventListener('abort', giveUp)
  return { parcel, outcome: promise }
}

/** The records of some parcels, in their order. */
export const joined = (parcels: readonly Parcel[]): readonly OutgoingRecord[] =>
  parcels.length === 1 ? (parcels[0] as Parcel).records : parcels.flatMap(({ records }) => records)

/** The same records as two smaller batches. A parcel that is alone is divided, and hears of both parts. */
export function halves(parcels: readonly Parcel[]): readonly (readonly Parcel[])[] {
  const [only] = parcels
  if (only !== undefined && parcels.length === 1) {
    const middle = Math.ceil(only.records.length / 2)
    return [[part(only, 0, middle)], [part(only, middle, only.records.length)]]
  }
  const middle = Math.ceil(parcels.length / 2)
  return [parcels.slice(0, middle), parcels.slice(middle)]
}

function part(whole: Parcel, from: number, to: number): Parcel {
  return {
    records: whole.records.slice(from, to),
    bytes: Math.ceil(whole.bytes / 2),
    signal: whole.signal,
    get isInDoubt() {
      return whole.isInDoubt
    },
    set isInDoubt(isInDoubt: boolean) {
      whole.isInDoubt = isInDoubt
    },
    onFailedAttempt: (error) => whole.onFailedAttempt(error),
    report: (count, outcome) => whole.report(count, outcome),
  }
}

/** Aborts when everybody who waits for one of the parcels has given up, or the transport is gone. */
export function untilAllGaveUp(parcels: readonly Parcel[], closing: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController()
  const look = (): void => {
    if (closing.aborted) controller.abort(closing.reason)
    else if (parcels.every(({ signal }) => signal.aborted)) controller.abort(parcels[0]?.signal.reason)
  }
  const signals = [...parcels.map(({ signal }) => signal), closing]
  for (const signal of signals) signal.addEventListener('abort', look)
  look()
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const signal of signals) signal.removeEventListener('abort', look)
    },
  }
}
