import { DEFAULT_PRIORITY, PRIORITY_BACKGROUND, PRIORITY_CRITICAL } from '../constants.ts'

/** How many turns each priority has against the others when all of them wait: each has twice those of the next. */
const weightOf = (priority: number): number => 2 ** (PRIORITY_BACKGROUND - priority)

interface Queue {
  readonly priority: number
  readonly waiting: ((release: (() => void) | undefined) => void)[]
  /** Turns taken, in units of what one turn costs this priority. The lowest is next. */
  pass: number
}

/**
 * How many handlers run at a time, and whose turn it is.
 *
 * Stride scheduling (C. Waldspurger, W. Weihl, "Stride Scheduling", MIT, 1995): whoever has had the least of its share is next.
 * A priority that had nothing to do begins at the pass of those that had, and wins a tie against lower ones; so an urgent
 * message that comes after a pause waits for one slot, however much waits behind it, and what is least urgent still has one
 * turn in 31 while everything else floods.
 */
export class WorkSlots {
  readonly #queues: readonly Queue[]
  #free: number
  #now = 0

  constructor(slots: number) {
    this.#free = slots
    const priorities = Array.from({ length: PRIORITY_BACKGROUND - PRIORITY_CRITICAL + 1 }, (_, index) => PRIORITY_CRITICAL + index)
    this.#queues = priorities.map((priority) => ({ priority, waiting: [], pass: 0 }))
  }

  /** Resolves with what gives the slot back; undefined when the signal aborted before there was one. */
  acquire(signal: AbortSignal, priority: number = DEFAULT_PRIORITY): Promise<(() => void) | undefined> {
    const queue = this.#queues[priority - PRIORITY_CRITICAL]
    if (queue === undefined || signal.aborted) return Promise.resolve(undefined)
    if (queue.waiting.length === 0) queue.pass = Math.max(queue.pass, this.#now)
    if (this.#free > 0 && this.#next() === undefined) return Promise.resolve(this.#grant(queue))
    return new Promise((resolve) => {
      const grant = (release: (() => void) | undefined): void => {
        signal.removeEventListener('abort', giveUp)
        resolve(release)
      }
      const giveUp = (): void => {
        queue.waiting.splice(queue.waiting.indexOf(grant), 1)
        resolve(undefined)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      queue.waiting.push(grant)
      this.#handOut()
    })
  }

  #handOut(): void {
    while (this.#free > 0) {
      const next = this.#next()
      if (next === undefined) return
      next.waiting.shift()?.(this.#grant(next))
    }
  }

  #grant(queue: Queue): () => void {
    this.#free--
    this.#now = queue.pass
    queue.pass += 1 / weightOf(queue.priority)
    return this.#releaseOnce()
  }

  #next(): Queue | undefined {
    let next: Queue | undefined
    // From the most urgent on, so that it wins a tie.
    for (const queue of this.#queues) if (queue.waiting.length > 0 && (next === undefined || queue.pass < next.pass)) next = queue
    return next
  }

  #releaseOnce(): () => void {
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#free++
      // Whoever gave the slot back may want it again for what it has next: it is to be asked before those behind it are served.
      if (this.#queues.some(({ waiting }) => waiting.length > 0)) setImmediate(() => this.#handOut())
    }
  }
}
