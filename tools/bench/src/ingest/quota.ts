/** Lets a consumer go on only as far as a benchmark has asked for: what nobody measures is not consumed. */
export class Quota {
  #left = 0
  #done = 0
  #wanted = 0
  #opened = Promise.withResolvers<void>()
  #reached = Promise.withResolvers<void>()
  #failure: unknown = null
  #ended = false

  /** How many events may be taken now. */
  get left(): number {
    return this.#left
  }

  /** Takes so many events, which must be left. */
  take(events: number): void {
    this.#left -= events
    if (this.#left === 0) this.#opened = Promise.withResolvers()
  }

  /** Gives back what was taken and did not come. */
  giveBack(events: number): void {
    if (events === 0) return
    this.#left += events
    this.#opened.resolve()
  }

  /** True once events are left; false when there will be no more. */
  async open(): Promise<boolean> {
    while (this.#left === 0 && !this.#ended) await this.#opened.promise
    return !this.#ended
  }

  /** Lets go of whoever waits for events: there will be no more. */
  end(): void {
    this.#ended = true
    this.#opened.resolve()
  }

  /** So many events more are in the store. */
  done(events: number): void {
    this.#done += events
    if (this.#done >= this.#wanted) this.#reached.resolve()
  }

  /** Whoever waits for events fails. */
  fail(error: unknown): void {
    this.#failure = error
    this.#reached.resolve()
  }

  /** Grants so many events, and resolves when they are in the store. */
  async consume(events: number): Promise<void> {
    this.#reached = Promise.withResolvers()
    this.#wanted = this.#done + events
    this.#left += events
    this.#opened.resolve()
    await this.#reached.promise
    if (this.#failure !== null) throw this.#failure
  }
}
