import { type Clock, type MetricsSink, type Policy, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { countOption, durationOption } from '../check-options.ts'
import { OverloadError, withoutStack } from '../errors.ts'
import { notify } from '../notify.ts'
import { PlacePolicy } from './place-policy.ts'
import { PlaceStage } from './place-stage.ts'

/** A call was refused for want of room; `waited_too_long`: it stood in the queue before. */
export interface BulkheadRefusal {
  readonly bulkhead: string
  readonly reason: 'full' | 'waited_too_long'
}

/** How many calls there may be at once; see {@link createBulkhead}. */
export interface BulkheadOptions {
  /** Name in errors, events and metrics. @default 'default' */
  name?: string | undefined
  /** Calls at once. */
  maxConcurrent: number
  /** Calls that wait for one to end; the next one is refused. @default 0 */
  maxQueued?: number | undefined
  /** How long a call waits at most; less when its deadline is nearer. @default 30_000 */
  maxWaitMs?: number | undefined
  /** Told of every refusal. What it throws is ignored. @default nobody */
  onRefused?: ((event: BulkheadRefusal) => void) | undefined
  /** Where refusals are counted, and how much is under way. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** A policy that bounds how many calls there are at once. */
export interface Bulkhead extends Policy {
  readonly name: string
  /** Calls that hold a place, those included that nobody waits for any more but whose work goes on. */
  readonly underWay: number
  /** Calls that wait for a place. */
  readonly queued: number
  /** Refuses who waits and who comes from now on, with `ERR_RESILIENCE_DISPOSED`. What is under way ends by itself. */
  dispose(): void
}

/**
 * Lets `maxConcurrent` calls through at once and `maxQueued` wait, first come first served. A place is held until the work has
 * really ended: work that takes no notice of its deadline still burdens the other side.
 *
 * Its `execute` throws `OverloadError` (`ERR_BULKHEAD_FULL`).
 */
export function createBulkhead(options: BulkheadOptions): Bulkhead {
  return new PlacePolicy(options.name ?? 'default', new BulkheadStage(options))
}

class BulkheadStage extends PlaceStage {
  readonly #name: string
  readonly #refused: (reason: BulkheadRefusal['reason']) => void

  constructor(options: BulkheadOptions) {
    const { name = 'default', metrics = silentMetrics, clock = systemClock } = options
    super({
      what: `bulkhead "${name}"`,
      limit: countOption('maxConcurrent', options.maxConcurrent),
      maxQueued: countOption('maxQueued', options.maxQueued ?? 0, 0),
      maxWaitMs: durationOption('maxWaitMs', options.maxWaitMs ?? 30_000),
      clock,
    })
    this.#name = name
    const refusals = metrics.counter({ name: 'smart_whale_bulkhead_refusals_total', help: 'Calls refused for want of room', labelNames: ['bulkhead', 'reason'] })
    this.#refused = (reason) => {
      refusals.inc({ bulkhead: name, reason })
      notify(options.onRefused, { bulkhead: name, reason })
    }
  }

  override refusal(reason: BulkheadRefusal['reason']): OverloadError {
    this.#refused(reason)
    const what = reason === 'full' ? 'has no room left' : 'had no room in time'
    const message = `bulkhead "${this.#name}" ${what}; come back later, or let more through at once if the other side can bear it`
    return withoutStack(() => new OverloadError(message, { code: 'ERR_BULKHEAD_FULL', limiter: this.#name }))
  }
}
