import type { CachingInterface, Clock } from '@smart-whale/interfaces'
import { durationOption } from '../check-options.ts'
import { withDeadline } from '../timeout.ts'
import type { BreakerState, ManagedState, StateChange } from './state-manager.ts'

/** How states are shared between processes. */
export interface SharedStateOptions {
  /** Where they lie: any cache that all processes see. While it is away, each process decides for itself. */
  cache: Pick<CachingInterface, 'get' | 'set'>
  /** Put before each key. @default 'smart-whale:breaker:' */
  keyPrefix?: string | undefined
  /** Least time between two looks at one key. @default 1_000 */
  lookEveryMs?: number | undefined
  /** How long the cache may take. @default 500 */
  timeoutMs?: number | undefined
  /** Life of an entry after which nobody needs it any more. @default 3_600_000 */
  keepMs?: number | undefined
  /** Told when the cache fails. What it throws is ignored. @default nobody */
  onError?: ((error: unknown) => void) | undefined
}

/** What lies in the cache. Times are by the wall clock: the processes' clocks must agree to about a second. */
interface SharedState {
  readonly state: BreakerState
  readonly atMs: number
  /** Milliseconds since the epoch; null while it is held open. */
  readonly openUntilMs: number | null
}

/** What a process says of a breaker reaches the others: later news win. The cache is asked in the background alone: no call waits for it. */
export class SharedStates {
  readonly #options: SharedStateOptions
  readonly #clock: Clock
  readonly #prefix: string
  readonly #lookEveryMs: number
  readonly #timeoutMs: number
  readonly #keepMs: number
  readonly #nextLookMs = new WeakMap<ManagedState, number>()
  readonly #ended = new AbortController()

  constructor(options: SharedStateOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#prefix = options.keyPrefix ?? 'smart-whale:breaker:'
    this.#lookEveryMs = durationOption('lookEveryMs', options.lookEveryMs ?? 1_000)
    this.#timeoutMs = durationOption('timeoutMs', options.timeoutMs ?? 500, 1)
    this.#keepMs = durationOption('keepMs', options.keepMs ?? 3_600_000, 1)
  }

  publish(change: StateChange, openMs: number): void {
    // Who probes is each process's own affair.
    if (change.to === 'half-open' || this.#ended.signal.aborted) return
    const shared: SharedState = { state: change.to, atMs: change.atMs, openUntilMs: openMs === Infinity ? null : change.atMs + openMs }
    this.#inTime(() => this.#options.cache.set(this.#prefix + change.key, shared, this.#keepMs / 1000))
  }

  look(managed: ManagedState, nowMs: number, apply: (state: BreakerState, openMs: number) => void): void {
    if (nowMs < (this.#nextLookMs.get(managed) ?? 0) || this.#ended.signal.aborted) return
    this.#nextLookMs.set(managed, nowMs + this.#lookEveryMs)
    this.#inTime(async () => {
      const shared = await this.#options.cache.get(this.#prefix + managed.key)
      // A state that never changed knows nothing that could be newer.
      if (!isSharedState(shared) || (managed.era > 0 && shared.atMs <= managed.sinceMs)) return
      const openMs = shared.openUntilMs === null ? Infinity : shared.openUntilMs - this.#clock.now()
      // What was open and is over says nothing about now.
      if (shared.state === 'closed' || openMs > 0) apply(shared.state, openMs)
    })
  }

  dispose(): void {
    this.#ended.abort()
  }

  #inTime(ask: () => Promise<void>): void {
    withDeadline(ask, { timeoutMs: this.#timeoutMs, clock: this.#clock, signal: this.#ended.signal, what: 'the shared breaker state' }).catch((error: unknown) => {
      if (!this.#ended.signal.aborted) this.#tell(error)
    })
  }

  #tell(error: unknown): void {
    try {
      this.#options.onError?.(error)
    } catch {
      // An observer may not change what it observes.
    }
  }
}

/** The cache belongs to all: what lies there may be anything. */
function isSharedState(value: unknown): value is SharedState {
  if (typeof value !== 'object' || value === null) return false
  const { state, atMs, openUntilMs } = value as Partial<SharedState>
  return (state === 'open' || state === 'closed') && typeof atMs === 'number' && (openUntilMs === null || typeof openUntilMs === 'number')
}
