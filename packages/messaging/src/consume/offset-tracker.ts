/** A record that was read and is not committed yet. */
export interface TrackedOffset {
  readonly offset: bigint
  /** Bytes that it holds in memory. */
  readonly bytes: number
  isDone: boolean
}

/**
 * Knows what may be committed while records are handled in any order: everything before the lowest one that is not done.
 * What is done beyond that is remembered here alone, so there must be a bound on how far reading may be ahead of it.
 */
export class OffsetTracker {
  /** In offset order; those before `#head` were let go. */
  #entries: TrackedOffset[] = []
  #head = 0
  #bytes = 0
  #start: bigint | undefined
  #end: bigint | undefined
  #wakeReader: (() => void) | undefined

  /** A record that was read. Offsets only go up. */
  begin(offset: bigint, bytes: number): TrackedOffset {
    this.#start ??= offset
    const entry: TrackedOffset = { offset, bytes, isDone: false }
    this.#entries.push(entry)
    this.#bytes += bytes
    return entry
  }

  /** Everything before this offset was read; some offsets have no record. */
  readUpTo(nextOffset: bigint): void {
    this.#end = nextOffset
  }

  /** The record was dealt with. */
  finish(entry: TrackedOffset): void {
    entry.isDone = true
    for (let first = this.#entries[this.#head]; first?.isDone; first = this.#entries[++this.#head]) this.#bytes -= first.bytes
    if (this.#head > 1_024 || this.#head === this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    this.#wakeReader?.()
  }

  /** The offset up to which everything is done; undefined as long as nothing is. */
  get committable(): bigint | undefined {
    const next = this.#entries[this.#head]?.offset ?? this.#end
    return next === this.#start ? undefined : next
  }

  /** Records from the lowest one that is not done to the last one that was read. */
  get size(): number {
    return this.#entries.length - this.#head
  }

  /** Bytes of those records. */
  get bytes(): number {
    return this.#bytes
  }

  /** Resolves when something was finished, or the signal aborts. */
  async nextFinish(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const woken = Promise.withResolvers<void>()
    this.#wakeReader = woken.resolve
    signal.addEventListener('abort', woken.resolve as () => void, { once: true })
    await woken.promise
    signal.removeEventListener('abort', woken.resolve as () => void)
    this.#wakeReader = undefined
  }
}
