import { abortedError, type Clock, systemClock } from '@smart-whale/interfaces'
import { OperationalError } from '../operational-errors.ts'
import type { CheckedLevel } from './check-levels.ts'

/** How many queries run at once, over all tenants. */
export interface FairTurnsOptions {
  /** Queries at once. @default 8 */
  maxConcurrent?: number | undefined
  /** Places of these that are only for who has used the server far less than the others of late: a newcomer never waits behind those who fill it. @default a quarter of `maxConcurrent` */
  reserved?: number | undefined
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
/** Tenants that nothing is going on for are forgotten past this many. */
const MAX_IDLE = 10_000

/**
 * Decides whose query goes to the server next: that of the tenant who has used it least of late. So a tenant who asks a lot waits for
 * those who ask little, and never the other way round. Each tenant has a bound of its own besides.
 */
export class FairTurns {
  readonly #maxConcurrent: number
  readonly #reserved: number
  readonly #clock: Clock
  readonly #queues = new Map<string, Queue>()
  #running = 0
  /** Of these, the ones that may have none of the reserved places. */
  #runningHeavy = 0

  constructor({ maxConcurrent = 8, reserved, clock = systemClock }: FairTurnsOptions = {}) {
    this.#maxConcurrent = Math.max(1, maxConcurrent)
    this.#reserved = Math.min(this.#maxConcurrent - 1, reserved ?? Math.floor(this.#maxConcurrent / 4))
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
    const heavy = this.#isLight(queue) ? 0 : 1
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
    return this.#runningHeavy < this.#maxConcurrent - this.#reserved || this.#isLight(queue)
  }

  /** Whether the tenant has used less than half of what the others have used on average; alone, less than a quarter of all there was. */
  #isLight(queue: Queue): boolean {
    const others = [...this.#queues.values()].filter((other) => other !== queue && (other.running > 0 || other.waiting.length > 0))
    if (others.length === 0) return this.#usedBy(queue) < (this.#maxConcurrent * HALF_LIFE_MS) / Math.LN2 / 4
    const mean = others.reduce((sum, other) => sum + this.#usedBy(other), 0) / others.length
    return this.#usedBy(queue) < mean / 2
  }

  #usedBy({ used, usedAtMs }: Queue): number {
    return used * 0.5 ** ((this.#clock.monotonic() - usedAtMs) / HALF_LIFE_MS)
  }

  #queueOf(tenant: string): Queue {
    const known = this.#queues.get(tenant)
    if (known !== undefined) return known
    if (this.#queues.size >= MAX_IDLE) this.#forgetIdle()
    const queue: Queue = { running: 0, waiting: [], used: 0, usedAtMs: this.#clock.monotonic() }
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
