import type { Clock } from '@smart-whale/interfaces'

/** The time, read once for all stages that a run passes in one go. Runs of a chain don't pass at once, so that one reading serves them all. */
export class Reading {
  /** Whose time it is; undefined when it is out of date. */
  #clock: Clock | undefined = undefined
  #nowMs = 0

  on(clock: Clock): number {
    if (this.#clock !== clock) {
      this.#clock = clock
      this.#nowMs = clock.monotonic()
    }
    return this.#nowMs
  }

  forget(): void {
    this.#clock = undefined
  }
}
