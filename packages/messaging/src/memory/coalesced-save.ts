/**
 * Saves a state that changes faster than it can be saved: whoever asks while a save is under way shares the next one.
 * The promise resolves when a save that began after the call is done.
 */
export class CoalescedSave {
  readonly #save: () => Promise<void>
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(save: () => Promise<void>) {
    this.#save = save
  }

  request(): Promise<void> {
    if (this.#running === undefined) return this.#begin()
    this.#next ??= this.#running.then(
      () => this.#begin(),
      () => this.#begin(),
    )
    return this.#next
  }

  /** Resolves when nothing is being saved any more, however it went. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await (this.#next ?? this.#running).catch(() => {})
  }

  #begin(): Promise<void> {
    this.#next = undefined
    const running = this.#save().finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }
}
