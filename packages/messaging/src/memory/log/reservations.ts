import type { FramePart } from './frame.ts'

/** A partition's log that nobody else writes to until it is released. */
export interface LogReservation {
  /** The offset that the next record will get. */
  readonly offset: number
  /** Writes the records as one; they are there, for readers too, once it resolves. */
  append(parts: readonly FramePart[]): Promise<void>
  release(): void
}

interface Reserver {
  readonly grant: () => void
  readonly released: Promise<void>
}

/** Those who want a log for themselves for a while, in the order in which they came. */
export class Reservations {
  readonly #waiting: Reserver[] = []

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** `granted` resolves when it is this one's turn, which lasts until `release` is called. */
  add(): { readonly granted: Promise<void>; readonly release: () => void } {
    const granted = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    this.#waiting.push({ grant: granted.resolve, released: released.promise })
    return { granted: granted.promise, release: released.resolve }
  }

  /** Lets everybody have a turn. */
  async serve(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      next.grant()
      await next.released
    }
  }
}
