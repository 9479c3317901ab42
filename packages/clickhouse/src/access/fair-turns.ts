import { abortedError, type Clock, systemClock } from '@smart-whale/interfaces'
import { OperationalError } from '../operational-errors.ts'
import type { CheckedLevel } from './check-levels.ts'

/** How many queries run at once, over all tenants. */
export interface FairTurnsOptions {
  /** Queries at once. @default 8 */
  maxConcurrent?: number | undefined
  /** Places of these that are only for tenants whose queries have been short of late: they never wait behind those who fill the server. @default a quarter of `maxConcurrent` */
  reserved?: number | undefined
  /** How long a query may take and still count as short, in milliseconds. @default 500 */
  shortMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** One tenant's queries: those that run, those that wait, and how much of the server they have used of late. */
interface Queue {
  running: number
  readonly waiting: Waiting[]
  /** Time on the server, in milliseconds, half of it forgotten every {@link HALF_LIFE_MS}. */
  used: number
  usedAtMs: number
  /** How long its queries take: the longest one, fading as shorter ones follow. Unknown before the first one has ended. */
  typicalMs: number
}

interface Waiting {
  readonly share: CheckedLevel['share']
  start(turn: Turn): void
}

/** Place of a query that runs; to be given back. */
export interface Turn {
  /** @param usedMs how long the server was used */
  end(usedMs: number): void
}

const HALF_LIFE_MS = 10_000
/** What is left of a long query's memory after each one that follows: a dozen short ones make up for it. */
const FADING = 0.8
/** Tenants that nothing is going on for are forgotten past this many. */
const MAX_IDLE = 10_000

/**
 * Decides whose query goes to the server next: that of the tenant who has used it least of late. A query that runs can't be put aside for
 * another one, so some places are kept for tenants whose queries have been short: whoever fills the server with long ones, short ones
 * find room. Each tenant has a bound of its own besides.
 */
export class FairTurns {
  readonly #maxConcurrent: number
  readonly #reserved: number
  readonly #shortMs: number
  readonly #clock: Clock
  readonly #queues = new Map<string, Queue>()
  #running = 0
  /** Of these, the ones that have none of the reserved places. */
  #runningHeavy = 0

  constructor({ maxConcurrent = 8, reserved, shortMs = 500, clock = systemClock }: FairTurnsOptions = {}) {
    this.#maxConcurrent = Math.max(1, maxConcurrent)
    this.#reserved = Math.min(this.#maxConcurrent - 1, reserved ?? Math.floor(this.#maxConcurrent / 4))
    this.#shortMs = shortMs
    this.#clock = clock
  }

  /** Queries that run and that wait. */
  get stats(): { running: number; waiting: number } {
    return { running: this.#running, waiting: [...this.#queues.values()].reduce((sum, { waiting }) => sum + waiting.length, 0) }
  }

  /**
   * Waits for a turn.
   * @throws OperationalError `ERR_CLICKHOUSE_TENANT_BUSY` when too many of the tenant's own queries wait already, or it takes too long
   */
  async take(tenant: string, share: CheckedLevel['share'], signal?: AbortSignal): Promise<Turn> {
    if (signal?.aborted) throw abortedError('the query', signal)
    const queue = this.#queueOf(tenant)
    if (queue.waiting.length === 0 && this.#mayRun(queue, share)) return this.#run(queue)
    if (queue.waiting.length >= share.maxQueued) throw tenantBusy(`${queue.running} of the caller's queries run and ${queue.waiting.length} wait, and no more may`)
    return this.#wait(queue, share, signal)
  }

  async #wait(queue: Queue, share: CheckedLevel['share'], signal: AbortSignal | undefined): Promise<Turn> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#clock.clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const entry: Waiting = {
        share,
        start: (turn) => {
          settle()
          resolve(turn)
        },
      }
      const leave = (error: unknown): void => {
        settle()
        queue.waiting.splice(queue.waiting.indexOf(entry), 1)
        reject(error)
      }
      const onAbort = (): void => leave(abortedError('the query', signal as AbortSignal))
      const timer = this.#clock.setTimeout(() => leave(tenantBusy(`the query had no turn within ${share.maxWaitMs} ms`)), share.maxWaitMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      queue.waiting.push(entry)
    })
  }

  #run(queue: Queue): Turn {
    const heavy = this.#isShort(queue) ? 0 : 1
    queue.running += 1
    this.#running += 1
    this.#runningHeavy += heavy
    let ended = false
    return {
      end: (usedMs) => {
        if (ended) return
        ended = true
        queue.running -= 1
        this.#running -= 1
        this.#runningHeavy -= heavy
        queue.used = this.#usedBy(queue) + usedMs
        queue.usedAtMs = this.#clock.monotonic()
        queue.typicalMs = Math.max(usedMs, queue.typicalMs === Infinity ? 0 : queue.typicalMs * FADING)
        while (this.#startNext());
      },
    }
  }

  /** Whether one was started. */
  #startNext(): boolean {
    const waiting = [...this.#queues.values()].filter(({ waiting: list }) => list.length > 0).sort((one, other) => this.#usedBy(one) - this.#usedBy(other))
    for (const queue of waiting) {
      const next = queue.waiting[0]
      if (next === undefined || !this.#mayRun(queue, next.share)) continue
      queue.waiting.shift()
      next.start(this.#run(queue))
      return true
    }
    return false
  }

  #mayRun(queue: Queue, share: CheckedLevel['share']): boolean {
    if (queue.running >= share.maxConcurrent || this.#running >= this.#maxConcurrent) return false
    return this.#runningHeavy < this.#maxConcurrent - this.#reserved || this.#isShort(queue)
  }

  /** Whether the tenant's queries are known to be short, and are not so many that they fill the server all the same. */
  #isShort(queue: Queue): boolean {
    const capacityMs = (this.#maxConcurrent * HALF_LIFE_MS) / Math.LN2
    return queue.typicalMs <= this.#shortMs && this.#usedBy(queue) < capacityMs / 4
  }

  #usedBy({ used, usedAtMs }: Queue): number {
    return used * 0.5 ** ((this.#clock.monotonic() - usedAtMs) / HALF_LIFE_MS)
  }

  #queueOf(tenant: string): Queue {
    const known = this.#queues.get(tenant)
    if (known !== undefined) return known
    if (this.#queues.size >= MAX_IDLE) this.#forgetIdle()
    const queue: Queue = { running: 0, waiting: [], used: 0, usedAtMs: this.#clock.monotonic(), typicalMs: Infinity }
    this.#queues.set(tenant, queue)
    return queue
  }

  #forgetIdle(): void {
    for (const [tenant, { running, waiting }] of this.#queues) if (running === 0 && waiting.length === 0) this.#queues.delete(tenant)
  }
}

function tenantBusy(why: string): OperationalError {
  return new OperationalError(`${why}; send fewer at once`, { code: 'ERR_CLICKHOUSE_TENANT_BUSY', status: 429, retryable: true })
}
