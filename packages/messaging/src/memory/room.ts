import { abortedError } from '@smart-whale/interfaces'

/** Where senders wait, in the order in which they came, until there is room for what they bring. */
export class Room {
  #waiting = 0
  #last: Promise<void> = Promise.resolve()
  readonly #wakers = new Set<() => void>()

  /** How many wait. */
  get waiting(): number {
    return this.#waiting
  }

  /** Resolves when `claim` has answered true, which takes the room. Rejects when the signal aborts; no room is taken then. */
  async enter(claim: () => boolean, signal: AbortSignal): Promise<void> {
    if (this.#waiting === 0 && claim()) return
    const before = this.#last
    const turn = Promise.withResolvers<void>()
    this.#last = turn.promise
    this.#waiting++
    try {
      await orAborted(before, signal)
      while (!claim()) await this.#change(signal)
    } finally {
      this.#waiting--
      // One who gives up early doesn't let the next one overtake those before.
      void before.then(turn.resolve)
    }
  }

  /** Says that there may be room now. */
  changed(): void {
    for (const wake of [...this.#wakers]) wake()
  }

  async #change(signal: AbortSignal): Promise<void> {
    const change = Promise.withResolvers<void>()
    this.#wakers.add(change.resolve)
    try {
      await orAborted(change.promise, signal)
    } finally {
      this.#wakers.delete(change.resolve)
    }
  }
}

/** The promise, or a rejection as soon as the signal aborts. */
async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw abortedError('the wait for room', signal)
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(abortedError('the wait for room', signal))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
