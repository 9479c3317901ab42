/** How long until half of what a tenant has used is forgotten, in milliseconds. */
export const HALF_LIFE_MS = 10_000
/** How much the latest query says about how long the next one will take. One that met a slow moment doesn't make a tenant slow. */
const WEIGHT_OF_LATEST = 0.2

/** What one tenant uses of the server: what runs now, and what it had of late. */
export class TenantUse {
  #running = 0
  /** Sum of the times at which the running ones began. */
  #begunAtMs = 0
  /** As of {@link #fadedAtMs}. */
  #endedMs = 0
  #fadedAtMs = 0
  #typicalMs = Infinity

  /** Queries that run. */
  get running(): number {
    return this.#running
  }

  /** How long its queries take, the latest ones above all; infinite before the first one has ended. */
  get typicalMs(): number {
    return this.#typicalMs
  }

  /** Time on the server until now: that of queries that have ended fades, that of running ones grows. */
  usedMs(nowMs: number): number {
    return this.#faded(nowMs) + this.#running * nowMs - this.#begunAtMs
  }

  begin(nowMs: number): void {
    this.#running += 1
    this.#begunAtMs += nowMs
  }

  end(begunAtMs: number, nowMs: number): void {
    const tookMs = nowMs - begunAtMs
    this.#running -= 1
    this.#begunAtMs -= begunAtMs
    this.#endedMs = this.#faded(nowMs) + tookMs
    this.#fadedAtMs = nowMs
    this.#typicalMs = this.#typicalMs === Infinity ? tookMs : this.#typicalMs + WEIGHT_OF_LATEST * (tookMs - this.#typicalMs)
  }

  #faded(nowMs: number): number {
    return this.#endedMs * 0.5 ** ((nowMs - this.#fadedAtMs) / HALF_LIFE_MS)
  }
}
