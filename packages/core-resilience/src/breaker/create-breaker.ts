import { chainOf, FusedPolicy } from '../executor/chain.ts'
import type { ResultPolicy } from '../result-policy.ts'
import { type BreakerOptions, breakerRules, breakerWindow } from './breaker-options.ts'
import { BreakerStage } from './breaker-stage.ts'
import { type BreakerState, type ManagedState, StateManager } from './state-manager.ts'

/** A policy that stops calling what keeps failing. With a rule for results it is for work that answers with an `R`. */
export interface Breaker<R = unknown> extends ResultPolicy<R> {
  readonly name: string
  /** As of the last call: an open breaker turns half-open when a call comes, not by itself. */
  readonly state: BreakerState
  /** The state with when, why and until when. */
  readonly details: ManagedState
  /** Opens it by hand, until it is reset or for a time. */
  trip(openMs?: number): void
  /** Closes it by hand; also where others hold it open that share its state. What it has counted is forgotten. */
  reset(): void
  /** Ends what it does in the background; calls are refused from now on with `ERR_RESILIENCE_DISPOSED`. */
  dispose(): void
}

/**
 * A circuit breaker (M. Nygard, "Release It!"): opens after `consecutiveFailures`, or when within the window at least
 * `failureShare` of at least `minimumCalls` failed, or `slowShare` of them were slow; refuses calls for as long as its recovery says;
 * then lets `halfOpenProbes` at a time through, closes when `successesToClose` of them succeeded and opens again when one failed.
 *
 * What the caller aborts counts neither way; what a deadline aborts is a failure. A call that began in an earlier state has no say in a later one. No timers.
 *
 * Its `execute` throws `BreakerOpenError` (`ERR_CIRCUIT_OPEN`) while no call is let through; calls refused within one millisecond
 * are handed the same error object, without a stack.
 */
export function createBreaker(options?: BreakerOptions): Breaker
export function createBreaker<R>(options: BreakerOptions<R>): Breaker<R>
export function createBreaker<R>(options: BreakerOptions<R> = {}): Breaker<R> {
  const states = new StateManager({ maxKeys: 1, clock: options.clock })
  return new CircuitBreaker(options, states)
}

/** A breaker over a state that somebody manages. */
export class CircuitBreaker<R = unknown> extends FusedPolicy implements Breaker<R> {
  readonly name: string
  readonly #stage: BreakerStage
  readonly #states: StateManager

  constructor(options: BreakerOptions<R>, states: StateManager) {
    const rules = breakerRules(options)
    const stage = new BreakerStage(rules, breakerWindow(options), states)
    super(chainOf([stage]))
    this.name = rules.name
    this.#stage = stage
    this.#states = states
  }

  get state(): BreakerState {
    return this.#stage.managed.state
  }

  get details(): ManagedState {
    return this.#stage.managed
  }

  trip(openMs = Infinity): void {
    this.#states.transition(this.name, 'open', 'tripped', { openMs })
  }

  reset(): void {
    this.#states.reset(this.name)
  }

  dispose(): void {
    this.#stage.dispose()
  }
}
