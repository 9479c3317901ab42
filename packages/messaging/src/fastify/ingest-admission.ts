import { type Clock, OperationError } from '@smart-whale/interfaces'
import type { PipelineErrorCode } from '../errors.ts'

/** How much may be taken in at a time. */
export interface IngestLimits {
  /** Bytes of all bodies that are being read or sent; one more request is told to come again, with 503. @default 67108864 */
  maxPendingBytes?: number | undefined
  /** Requests of one client that are under way; one more is told to come again, with 429. @default 32 */
  maxPendingPerClient?: number | undefined
  /** Events that one client may send in a second, on average; beyond a burst of as many, 429 says when to come again. @default no limit */
  eventsPerSecond?: number | undefined
}

/** A request that was let in; `leave` must be called once when it has ended, however. */
export interface Admitted {
  leave(): void
}

interface ClientAccount {
  pending: number
  /** Events that may be sent at once; refilled as time passes. May be below zero: a batch is taken whole. */
  credit: number
  refilledAt: number
}

const FORGET_AFTER_MS = 60_000
const SWEEP_EVERY = 1_000

/** Decides who is let in. Bounded in memory: a client that has been quiet for a minute is forgotten. */
export class IngestAdmission {
  readonly #maxPendingBytes: number
  readonly #maxPendingPerClient: number
  readonly #eventsPerSecond: number
  readonly #clock: Clock
  readonly #clients = new Map<string, ClientAccount>()
  #pendingBytes = 0
  #untilSweep = SWEEP_EVERY

  constructor({ maxPendingBytes = 64 * 1024 * 1024, maxPendingPerClient = 32, eventsPerSecond = Number.POSITIVE_INFINITY }: IngestLimits, clock: Clock) {
    this.#maxPendingBytes = maxPendingBytes
    this.#maxPendingPerClient = maxPendingPerClient
    this.#eventsPerSecond = eventsPerSecond
    this.#clock = clock
  }

  /** Lets a request in, before its body is read. @throws OperationError with status 429 or 503, and with how long to wait */
  enter(client: string, bytes: number): Admitted {
    const account = this.#accountOf(client)
    if (account.pending >= this.#maxPendingPerClient) throw tooMany(`${account.pending} requests of this client are under way, and no more are taken; wait for their answers`, 1)
    // One that is larger than all room is let in alone: its own bound is the body limit.
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#maxPendingBytes) throw full(this.#pendingBytes)
    account.pending++
    this.#pendingBytes += bytes
    let isIn = true
    return {
      leave: () => {
        if (!isIn) return
        isIn = false
        account.pending--
        this.#pendingBytes -= bytes
      },
    }
  }

  /** Takes events off a client's account, before they are sent. @throws OperationError with status 429 and with how long to wait */
  spend(client: string, events: number): void {
    if (this.#eventsPerSecond === Number.POSITIVE_INFINITY) return
    const account = this.#accountOf(client)
    const now = this.#clock.monotonic()
    account.credit = Math.min(this.#eventsPerSecond, account.credit + ((now - account.refilledAt) / 1000) * this.#eventsPerSecond)
    account.refilledAt = now
    if (account.credit <= 0) throw tooMany(`this client sends more than ${this.#eventsPerSecond} events a second`, Math.ceil((1 - account.credit) / this.#eventsPerSecond))
    account.credit -= events
  }

  #accountOf(client: string): ClientAccount {
    this.#sweep()
    const known = this.#clients.get(client)
    if (known !== undefined) return known
    const account = { pending: 0, credit: this.#eventsPerSecond, refilledAt: this.#clock.monotonic() }
    this.#clients.set(client, account)
    return account
  }

  /** Forgets those who would be treated as new ones anyway. */
  #sweep(): void {
    if (this.#untilSweep-- > 0) return
    this.#untilSweep = SWEEP_EVERY
    const longAgo = this.#clock.monotonic() - FORGET_AFTER_MS
    for (const [client, { pending, refilledAt }] of this.#clients) if (pending === 0 && refilledAt < longAgo) this.#clients.delete(client)
  }
}

function tooMany(what: string, retryAfterSeconds: number): OperationError<PipelineErrorCode> {
  return new OperationError<PipelineErrorCode>(`${what}; nothing of this request was taken`, { code: 'ERR_MESSAGING_TOO_MANY_REQUESTS', retryable: true, status: 429, context: { retryAfterSeconds } })
}

function full(pendingBytes: number): OperationError<PipelineErrorCode> {
  return new OperationError<PipelineErrorCode>(`${pendingBytes} bytes of events are on their way already; nothing of this request was taken`, { code: 'ERR_MESSAGING_INGEST_FULL', retryable: true, status: 503, context: { retryAfterSeconds: 1 } })
}
