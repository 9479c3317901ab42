import { abortedError, type Clock, systemClock } from '@smart-whale/interfaces'
import { OperationalError } from '../operational-errors.ts'
import type { CheckedLevel } from './check-levels.ts'
import { HALF_LIFE_MS, TenantUse } from './tenant-use.ts'

/** How many queries run at once, over all tenants. */
export interface FairTurnsOptions {
  /** Queries at once. @default 8 */
  maxConcurrent?: number | undefined
  /** Places of these that are only for tenants who ask for less than their share: they never wait behind those who fill the server. @default a quarter of `maxConcurrent` */
  reserved?: number | undefined
  /** Queries that wait, of all tenants together; past it a tenant may have one waiting, and no more. @default 1_000 */
  maxWaiting?: number | undefined
  /** How long a query may take and still count as short, in milliseconds. One that has a reserved place and takes longer gives it back. @default 100 */
  shortMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Place of a query that runs; to be given back. */
export interface Turn {
  /** Whether the tenant asks for less than its share, in short queries. What others ask should make room for it on the server, too. */
  readonly isLight: boolean
  /** Whether it didn't come at once: things may have changed since it was asked for. */
  readonly hasWaited: boolean
  end(): void
}

/** What one tenant may do at once, as far as turns go. */
type Share = Pick<CheckedLevel['share'], 'maxConcurrent' | 'maxQueued' | 'maxWaitMs'>

interface Queue {
  readonly use: TenantUse
  readonly waiting: Waiting[]
}

interface Waiting {
  /** Whether it has waited for as long as its tenant's queries take. */
  isOverdue: boolean
  readonly share: Share
  start(turn: Turn): void
}

/** How long a look at what everybody uses is good for, in milliseconds. */
const LOOK_MS = 100
/** Tenants that are remembered. Past it, half of those that nothing is going on for are forgotten. */
const MAX_TENANTS = 10_000

/**
 * Decides whose query goes to the server next: that of the tenant who has used it least of late. A query that runs can't be put aside for
 * another one, so some places are kept for tenants who ask for little: whoever fills the server, they find room at once. One that finds these
 * taken waits about as long as its own queries take, and gets a place beside them; one that turns out long in such a place is counted among the
 * others from then on. Each tenant has a bound of its own besides.
 */
export class FairTurns {
  readonly #maxConcurrent: number
  readonly #reserved: number
  readonly #maxWaiting: number
  readonly #shortMs: number
  readonly #clock: Clock
  readonly #queues = new Map<string, Queue>()
  /** Those that run or wait. */
  readonly #asking = new Set<Queue>()
  #light = 0
  #heavy = 0
  #waiting = 0
  #crowd = { usedMs: 0, lookedAtMs: -Infinity }

  constructor({ maxConcurrent = 8, reserved, maxWaiting = 1000, shortMs = 100, clock = systemClock }: FairTurnsOptions = {}) {
    this.#maxConcurrent = Math.max(1, maxConcurrent)
    this.#reserved = Math.min(this.#maxConcurrent - 1, reserved ?? Math.floor(this.#maxConcurrent / 4))
    this.#maxWaiting = maxWaiting
    this.#shortMs = shortMs
    this.#clock = clock
  }

  /** Queries that run and that wait. */
  get stats(): { running: number; waiting: number } {
    return { running: this.#light + this.#heavy, waiting: this.#waiting }
  }

  /**
   * Waits for a turn.
   * @throws OperationalError `ERR_CLICKHOUSE_TENANT_BUSY` when too many queries wait already, the tenant's own above all, or it takes too long
   */
  async take(tenant: string, share: Share, signal?: AbortSignal): Promise<Turn> {
    if (signal?.aborted) throw abortedError('the query', signal)
    const queue = this.#queueOf(tenant)
    if (queue.waiting.length === 0 && this.#mayRun(queue, share)) return this.#run(queue, false)
    if (queue.waiting.length >= share.maxQueued) throw tenantBusy(`${queue.use.running} of the caller's queries run and ${queue.waiting.length} wait, and no more may`)
    if (queue.waiting.length > 0 && this.#waiting >= this.#maxWaiting) throw tenantBusy(`${this.#waiting} queries of all callers wait, the caller's among them`)
    return this.#wait(queue, share, signal)
  }

  async #wait(queue: Queue, share: Share, signal: AbortSignal | undefined): Promise<Turn> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting -= 1
        this.#clock.clearTimeout(timer)
        this.#clock.clearTimeout(overdue)
        signal?.removeEventListener('abort', onAbort)
      }
      const entry: Waiting = {
        isOverdue: false,
        share,
        start: (turn) => {
          settle()
          resolve(turn)
        },
      }
      const leave = (error: unknown): void => {
        settle()
        queue.waiting.splice(queue.waiting.indexOf(entry), 1)
        this.#forgetAsking(queue)
        reject(error)
      }
      const onAbort = (): void => leave(abortedError('the query', signal as AbortSignal))
      const timer = this.#clock.setTimeout(() => leave(tenantBusy(`the query had no turn within ${share.maxWaitMs} ms`)), share.maxWaitMs)
      const overdue = this.#clock.setTimeout(() => {
        entry.isOverdue = true
        this.#startAll()
      }, Math.min(queue.use.typicalMs, share.maxWaitMs))
      signal?.addEventListener('abort', onAbort, { once: true })
      queue.waiting.push(entry)
      this.#waiting += 1
      this.#asking.add(queue)
    })
  }

  #run(queue: Queue, hasWaited: boolean): Turn {
    const isLight = this.#isLight(queue)
    const begunAtMs = this.#clock.monotonic()
    const giveBack = isLight ? this.#placeOfLight() : this.#placeOfHeavy()
    queue.use.begin(begunAtMs)
    this.#asking.add(queue)
    const end = (): void => {
      giveBack()
      queue.use.end(begunAtMs, this.#clock.monotonic())
      this.#forgetAsking(queue)
      this.#startAll()
    }
    return { isLight, hasWaited, end: once(end) }
  }

  #placeOfHeavy(): () => void {
    this.#heavy += 1
    return () => {
      this.#heavy -= 1
    }
  }

  /** Becomes that of a heavy one when the query takes longer than a light one's would. */
  #placeOfLight(): () => void {
    this.#light += 1
    let giveBack = (): void => {
      this.#light -= 1
    }
    const timer = this.#clock.setTimeout(() => {
      giveBack()
      giveBack = this.#placeOfHeavy()
      this.#startAll()
    }, this.#shortMs)
    return () => {
      this.#clock.clearTimeout(timer)
      giveBack()
    }
  }

  #startAll(): void {
    while (this.#startNext());
  }

  /** Starts the next one of the tenant, of those who may run one, who has used the server least. @returns whether there was one */
  #startNext(): boolean {
    const now = this.#clock.monotonic()
    let chosen: { queue: Queue; next: Waiting; usedMs: number } | undefined
    for (const queue of this.#asking) {
      const next = queue.waiting[0]
      const usedMs = queue.use.usedMs(now)
      const isBehind = chosen !== undefined && usedMs >= chosen.usedMs
      if (next !== undefined && !isBehind && this.#mayRun(queue, next.share, next.isOverdue)) chosen = { queue, next, usedMs }
    }
    chosen?.queue.waiting.shift()
    chosen?.next.start(this.#run(chosen.queue, true))
    return chosen !== undefined
  }

  #mayRun(queue: Queue, share: Share, isOverdue = false): boolean {
    if (queue.use.running >= share.maxConcurrent) return false
    const open = this.#maxConcurrent - this.#reserved
    const running = this.#light + this.#heavy
    if (!this.#isLight(queue)) return this.#heavy < open && running < this.#maxConcurrent
    if (isOverdue) return running < this.#maxConcurrent + this.#reserved
    // Queries that turned out long may be more than the open places; they take none of the reserved ones.
    return this.#light + Math.min(this.#heavy, open) < this.#maxConcurrent && running < this.#maxConcurrent + this.#reserved
  }

  /**
   * Whether the tenant's queries are known to be short, and it has used less than half of its share: of the server as a whole, or
   * of what those who use it most have.
   */
  #isLight(queue: Queue): boolean {
    if (queue.use.typicalMs > this.#shortMs) return false
    const now = this.#clock.monotonic()
    const asking = this.#asking.size + (this.#asking.has(queue) ? 0 : 1)
    const capacityMs = (this.#maxConcurrent * HALF_LIFE_MS) / Math.LN2
    return queue.use.usedMs(now) < Math.max(capacityMs / asking, this.#crowdUseMs(now)) / 2
  }

  /** What the tenant has used whom a moment on the server belongs to, on the average: many who hardly ask don't make it less. */
  #crowdUseMs(nowMs: number): number {
    if (nowMs - this.#crowd.lookedAtMs < LOOK_MS) return this.#crowd.usedMs
    const used = [...this.#queues.values()].map(({ use }) => use.usedMs(nowMs))
    const total = used.reduce((sum, each) => sum + each, 0)
    this.#crowd = { usedMs: total === 0 ? 0 : used.reduce((sum, each) => sum + each * each, 0) / total, lookedAtMs: nowMs }
    return this.#crowd.usedMs
  }

  #queueOf(tenant: string): Queue {
    const known = this.#queues.get(tenant)
    if (known !== undefined) return known
    if (this.#queues.size >= MAX_TENANTS) this.#forgetIdle()
    const queue: Queue = { use: new TenantUse(), waiting: [] }
    this.#queues.set(tenant, queue)
    return queue
  }

  #forgetAsking(queue: Queue): void {
    if (isIdle(queue)) this.#asking.delete(queue)
  }

  /** Those who have used the server least: to forget the others would give them a fresh start. */
  #forgetIdle(): void {
    const now = this.#clock.monotonic()
    const idle = [...this.#queues].filter(([, queue]) => isIdle(queue)).sort(([, one], [, other]) => one.use.usedMs(now) - other.use.usedMs(now))
    for (const [tenant] of idle.slice(0, Math.ceil(idle.length / 2))) this.#queues.delete(tenant)
  }
}

const isIdle = ({ use, waiting }: Queue): boolean => use.running === 0 && waiting.length === 0

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    work()
  }
}

function tenantBusy(why: string): OperationalError {
  return new OperationalError(`${why}; send fewer at once`, { code: 'ERR_CLICKHOUSE_TENANT_BUSY', status: 429, retryable: true })
}
