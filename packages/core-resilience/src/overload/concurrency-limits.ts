/** What is known of the calls of one measuring window. */
export interface LimitSample {
  /** Mean time of the calls that succeeded. */
  readonly meanMs: number
  /** Most calls at once during the window. */
  readonly mostUnderWay: number
  /** Whether a call failed in a way that speaks of overload. */
  readonly wasOverloaded: boolean
}

/** Finds out how many calls at once the other side bears. */
export interface ConcurrencyLimit {
  /** The limit after one more window. */
  next(limit: number, sample: LimitSample): number
}

/** Share of the distance to the new limit that one window moves. */
const SMOOTHING = 0.2
/** Calls above what the times allow for: room to find out that more would do. */
const QUEUE_SIZE = 4
/** How much slower than in the long run calls may be before the limit falls. */
const TOLERANCE = 1.5
/** Windows over which the long run is taken. */
const LONG_RUN = 100

/**
 * Follows the ratio of the time that calls take in the long run to what they take now: slower means that they queue.
 * The rule is that of `Gradient2Limit` in Netflix's concurrency-limits (github.com/Netflix/concurrency-limits;
 * "Performance Under Load", Netflix Technology Blog, 2018).
 */
export class GradientLimit implements ConcurrencyLimit {
  #longRunMs = 0

  next(limit: number, { meanMs, mostUnderWay, wasOverloaded }: LimitSample): number {
    if (wasOverloaded) return limit * 0.9
    this.#longRunMs = this.#longRunMs === 0 ? meanMs : this.#longRunMs + (meanMs - this.#longRunMs) / LONG_RUN
    // After a slow time the long run must come down again, or any limit would do.
    if (this.#longRunMs > 2 * meanMs) this.#longRunMs *= 0.95
    // So few calls say nothing about what more would do.
    if (mostUnderWay < limit / 2) return limit
    const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * this.#longRunMs) / Math.max(meanMs, 1e-3)))
    return limit * (1 - SMOOTHING) + (limit * gradient + QUEUE_SIZE) * SMOOTHING
  }
}

/**
 * Adds one while all is well and the limit is made use of, and falls to nine tenths when it isn't
 * (D. Chiu, R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989).
 */
export class AimdLimit implements ConcurrencyLimit {
  next(limit: number, { mostUnderWay, wasOverloaded }: LimitSample): number {
    if (wasOverloaded) return limit * 0.9
    return mostUnderWay < limit / 2 ? limit : limit + 1
  }
}
