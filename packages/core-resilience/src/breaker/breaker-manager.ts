import type { PolicyCall, PolicyContext } from '@smart-whale/interfaces'
import { countOption } from '../check-options.ts'
import { disposedError } from '../errors.ts'
import type { BreakerOptions } from './breaker-options.ts'
import { type Breaker, CircuitBreaker } from './create-breaker.ts'
import { type ManagedState, type StateChange, StateManager, type StateManagerOptions } from './state-manager.ts'

/** How a {@link BreakerManager} makes its breakers. */
export interface BreakerManagerOptions extends Omit<BreakerOptions, 'name'> {
  /** Breakers that are kept at most; the closed one that was unused for longest gives way to a new one. @default 1_000 */
  maxKeys?: number | undefined
  /** What is different for a key. @default nothing */
  optionsFor?: ((key: string) => Partial<Omit<BreakerOptions, 'name' | 'clock' | 'metrics'>>) | undefined
  /** Changes that are remembered for each key. @default 50 */
  historySize?: number | undefined
  /** Shares states with other processes. @default each process for itself */
  share?: StateManagerOptions['share']
  /** Told of every change of any breaker. What it throws is ignored. @default nobody */
  onTransition?: ((change: StateChange) => void) | undefined
}

/** What is known of a breaker. */
export interface BreakerView extends ManagedState {
  /** The latest changes, oldest first. */
  readonly history: readonly StateChange[]
}

/**
 * A breaker for each key: a host, a tenant, a table. Breakers are made when they are first asked for and kept in bounded number;
 * one that is open gives way last. Metrics carry the key as a label: keys must come from a small set.
 */
export class BreakerManager {
  /** Where the states are kept, with history and events. */
  readonly states: StateManager
  readonly #options: BreakerManagerOptions
  readonly #maxKeys: number
  /** In the order of use, the latest last. */
  readonly #breakers = new Map<string, CircuitBreaker>()
  #isDisposed = false

  constructor(options: BreakerManagerOptions = {}) {
    const { historySize, share, onTransition, clock } = options
    this.#options = options
    this.#maxKeys = countOption('maxKeys', options.maxKeys ?? 1_000)
    // Which keys are kept is decided here: a state without its breaker, or the other way round, would be of no use.
    this.states = new StateManager({ historySize, share, onTransition, clock, maxKeys: Infinity })
  }

  /** Keys that have a breaker, the one unused for longest first. */
  get keys(): readonly string[] {
    return [...this.#breakers.keys()]
  }

  /** Runs work through the breaker of a key. Throws `BreakerOpenError` (`ERR_CIRCUIT_OPEN`) while it lets no call through. */
  execute<T>(key: string, work: (context: PolicyContext) => Promise<T>, call?: PolicyCall): Promise<T> {
    return this.breaker(key).execute(work, call)
  }

  /** The breaker of a key, as a policy to compose with others. Keep it no longer than a call: it may give way to another one. */
  breaker(key: string): Breaker {
    const known = this.#breakers.get(key)
    if (known !== undefined) {
      this.#breakers.delete(key)
      this.#breakers.set(key, known)
      return known
    }
    if (this.#isDisposed) throw disposedError('the breaker manager')
    if (this.#breakers.size >= this.#maxKeys) this.#makeRoom()
    const made = new CircuitBreaker({ ...this.#options, ...this.#options.optionsFor?.(key), name: key }, this.states)
    this.#breakers.set(key, made)
    return made
  }

  /** The state of a key and how it came about; closed for a key that was never used. */
  checkState(key: string): BreakerView {
    const breaker = this.#breakers.get(key)
    if (breaker !== undefined) return { ...breaker.details, history: this.states.history(key) }
    return { key, state: 'closed', reason: undefined, sinceMs: 0, openUntilMs: 0, timesOpened: 0, era: 0, history: [] }
  }

  /** Opens a breaker by hand, until it is reset or for `openMs`. */
  tripBreaker(key: string, openMs?: number): void {
    this.breaker(key).trip(openMs)
  }

  /** Closes a breaker by hand, in all processes that share its state; it needn't be open in this one, or ever used. */
  resetBreaker(key: string): void {
    const breaker = this.states.isShared ? this.breaker(key) : this.#breakers.get(key)
    breaker?.reset()
  }

  /** Ends what runs in the background; calls are refused from now on. */
  dispose(): void {
    this.#isDisposed = true
    for (const breaker of this.#breakers.values()) breaker.dispose()
    this.states.dispose()
  }

  #makeRoom(): void {
    let leaving: string | undefined
    for (const [key, { state }] of this.#breakers) {
      leaving ??= key
      if (state !== 'closed') continue
      leaving = key
      break
    }
    if (leaving === undefined) return
    this.#breakers.get(leaving)?.dispose()
    this.#breakers.delete(leaving)
    this.states.forget(leaving)
  }
}
