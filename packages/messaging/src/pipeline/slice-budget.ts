import type { Clock } from '@smart-whale/interfaces'

/** What all slices of a process may hold together. */
export interface SliceBudgetOptions {
  /**
   * Bytes of messages in slices that are being read or written, of all pipelines and partitions that share the budget. A worker needs about three times
   * as much memory for them. @default 8388608
   */
  maxBytes?: number | undefined
}

/** A slice that asks for no more has it at once: so that partitions in which little happens wait for nobody. */
const LITTLE = 16 * 1024
/** How many times as much a slice that is full may have, and the one behind it. */
const GROWTH = 4
/** How long a slice waits for others to be written before it makes do with less, in milliseconds: a store that is away must not stop pipelines into another one. */
const PATIENCE_MS = 2_000

interface Waiting {
  readonly bytes: number
  readonly grant: () => void
}

/**
 * Bounds the memory of a process, however many partitions it has: slices that would go beyond it wait for those before them to be written, and what
 * they would read stays with the broker. Few large slices at a time cost less than many small ones.
 */
export class SliceBudget {
  readonly maxBytes: number
  readonly #waiting: Waiting[] = []
  #held = 0

  constructor({ maxBytes = 8 * 1024 * 1024 }: SliceBudgetOptions = {}) {
    this.maxBytes = maxBytes
  }

  /** Bytes that are promised to slices. */
  get heldBytes(): number {
    return this.#held
  }

  /** Resolves with how many bytes the slice may have, once there is room for them; with fewer, beyond the bound, when that takes too long or the signal aborts. */
  async reserve(bytes: number, clock: Clock, signal: AbortSignal): Promise<number> {
    if (bytes <= LITTLE || (this.#waiting.length === 0 && this.#held + bytes <= this.maxBytes)) return this.#hold(bytes)
    const { promise, resolve } = Promise.withResolvers<number>()
    const waiting: Waiting = { bytes, grant: () => resolve(this.#hold(bytes)) }
    const giveUp = (): void => {
      const place = this.#waiting.indexOf(waiting)
      if (place < 0) return
      this.#waiting.splice(place, 1)
      resolve(this.#hold(Math.max(LITTLE, Math.floor(bytes / GROWTH))))
      this.#grantNext()
    }
    this.#waiting.push(waiting)
    const timer = clock.setTimeout(giveUp, PATIENCE_MS)
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
    try {
      return await promise
    } finally {
      clock.clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** Promises so many bytes more, if there is room for them now and nobody waits. */
  extend(bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#held + bytes > this.maxBytes) return false
    this.#held += bytes
    return true
  }

  /** The slice is stored, or given up. */
  giveBack(bytes: number): void {
    this.#held -= bytes
    this.#grantNext()
  }

  #hold(bytes: number): number {
    this.#held += bytes
    return bytes
  }

  /** In the order in which they came, so that none waits for ever. */
  #grantNext(): void {
    for (let first = this.#waiting[0]; first !== undefined && (this.#held + first.bytes <= this.maxBytes || this.#held <= 0); first = this.#waiting[0]) {
      this.#waiting.shift()
      first.grant()
    }
  }
}

/** One partition's part of the budget: for the slice that is being written, and for the one that is being read meanwhile. */
export class PartitionRoom {
  readonly #budget: SliceBudget
  readonly #mostBytes: number
  readonly #clock: Clock
  readonly #signal: AbortSignal
  /** Of each slice that is not yet stored, the oldest first. */
  readonly #granted: number[] = []
  #expected = LITTLE

  /** @param signal ends every wait */
  constructor(budget: SliceBudget, maxBytes: number, clock: Clock, signal: AbortSignal) {
    this.#budget = budget
    // Half of it, so that one slice is read while another one is written.
    this.#mostBytes = Math.max(1, Math.min(maxBytes, Math.floor(budget.maxBytes / 2)))
    this.#clock = clock
    this.#signal = signal
  }

  /** Resolves with how many bytes the next slice may have. */
  async begin(): Promise<number> {
    const granted = await this.#budget.reserve(Math.min(this.#mostBytes, this.#expected), this.#clock, this.#signal)
    this.#granted.push(granted)
    return granted
  }

  /** The slice that was begun last is full: how many bytes it may have then, which are no more where there is no room for more. */
  grow(): number {
    const granted = this.#granted.pop() ?? 0
    const wanted = Math.min(this.#mostBytes, GROWTH * Math.max(granted, LITTLE))
    const grown = wanted > granted && this.#budget.extend(wanted - granted) ? wanted : granted
    this.#granted.push(grown)
    return grown
  }

  /** The slice that was begun last is cut: what it came to is what is expected of the next one. */
  cut(bytes: number): void {
    const granted = this.#granted.at(-1) ?? 0
    this.#expected = bytes < granted / 2 ? Math.max(LITTLE, 2 * bytes) : GROWTH * Math.max(granted, LITTLE)
  }

  /** The oldest slice is stored, or had no records. */
  done(): void {
    this.#budget.giveBack(this.#granted.shift() ?? 0)
  }

  /** The slice that was begun last is not to be had. */
  drop(): void {
    this.#budget.giveBack(this.#granted.pop() ?? 0)
  }

  /** Nothing of the partition is held any more. */
  close(): void {
    while (this.#granted.length > 0) this.done()
  }
}
