import type { ClickHouseAdapter } from '@smart-whale/clickhouse'

/** What became of a read. */
export interface ReadOutcome {
  readonly endedAtMs: number
  readonly tookMs: number
  /** Who answered; undefined when it failed. */
  readonly server: string | undefined
  readonly error?: unknown
}

/** Over how long a server's share of the load is looked at. */
const SHARE_WINDOW_MS = 500
/** What a server must have of its fair share, so that the load counts as even. */
const EVEN_SHARE = 0.7

/** Reads at a steady rate, whether or not those before have ended. */
export class SteadyReads {
  readonly done: ReadOutcome[] = []
  readonly #adapter: ClickHouseAdapter
  readonly #underWay = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  readonly #begunAtMs = performance.now()
  #begun = 0

  constructor(adapter: ClickHouseAdapter, perSecond: number) {
    this.#adapter = adapter
    // As many as are due: a timer that comes late makes up for it.
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - this.#begunAtMs) / 1000) * perSecond)
      while (this.#begun < due) this.#read()
    }, 5)
  }

  /** Begins no more, and waits for those under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#underWay)
  }

  failures(): readonly ReadOutcome[] {
    return this.done.filter(({ server }) => server === undefined)
  }

  /** How long reads took; 1 for the slowest. */
  quantile(share: number): number {
    const times = this.done.map(({ tookMs }) => tookMs).sort((one, other) => one - other)
    return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Infinity
  }

  /** How long after a moment a server has its share of the load again; undefined when it never has. */
  msUntilEven(server: string, atMs: number, servers: number): number | undefined {
    const after = this.done.filter(({ endedAtMs }) => endedAtMs >= atMs)
    for (const { endedAtMs: untilMs } of after) {
      if (untilMs < atMs + SHARE_WINDOW_MS) continue
      const window = after.filter(({ endedAtMs }) => endedAtMs > untilMs - SHARE_WINDOW_MS && endedAtMs <= untilMs)
      if (window.filter((read) => read.server === server).length >= (window.length / servers) * EVEN_SHARE) return untilMs - atMs
    }
    return undefined
  }

  /** Each server's share of the reads that ended last. */
  sharesOfLast(ms: number): ReadonlyMap<string, number> {
    const sinceMs = (this.done.at(-1)?.endedAtMs ?? 0) - ms
    const last = this.done.filter(({ endedAtMs }) => endedAtMs >= sinceMs)
    const shares = new Map<string, number>()
    for (const { server = 'failed' } of last) shares.set(server, (shares.get(server) ?? 0) + 1 / last.length)
    return shares
  }

  #read(): void {
    this.#begun++
    const begun = performance.now()
    const note = (server: string | undefined, error?: unknown): void => {
      const endedAtMs = performance.now()
      this.done.push({ endedAtMs, tookMs: endedAtMs - begun, server, error })
    }
    const reading: Promise<void> = this.#adapter
      .execute('SELECT sum(number) AS total FROM numbers(1000)')
      .then(({ server }) => note(server), (error: unknown) => note(undefined, error))
      .finally(() => this.#underWay.delete(reading))
    this.#underWay.add(reading)
  }
}
