/** Who waits for room. */
interface Waiting {
  readonly rows: number
  readonly bytes: number
  enter(): void
  refuse(error: Error): void
}

/**
 * Counts what is pending and lets callers in, in the order in which they came, as long as there is room.
 * Something that is larger than all the room is let in when nothing else is there.
 */
export class Room {
  readonly #maxRows: number
  readonly #maxBytes: number
  readonly #queue: Waiting[] = []
  #rows = 0
  #bytes = 0
  #closed: Error | undefined

  constructor(maxRows: number, maxBytes: number) {
    this.#maxRows = maxRows
    this.#maxBytes = maxBytes
  }

  get rows(): number {
    return this.#rows
  }

  get bytes(): number {
    return this.#bytes
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** Resolves once there is room. Leaves the queue when the signal aborts. */
  async enter(rows: number, bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed
    if (this.#queue.length === 0 && this.#fits(rows, bytes)) return this.#take(rows, bytes)
    await new Promise<void>((resolve, reject) => {
      const settle = (act: () => void) => () => {
        signal.removeEventListener('abort', giveUp)
        act()
      }
      const waiting: Waiting = { rows, bytes, enter: settle(resolve), refuse: (error) => settle(() => reject(error))() }
      const giveUp = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1)
        // Whoever stands behind may fit where this one did not.
        this.#admit()
        reject(signal.reason as Error)
      }
      if (signal.aborted) return reject(signal.reason as Error)
      signal.addEventListener('abort', giveUp, { once: true })
      this.#queue.push(waiting)
    })
  }

  leave(rows: number, bytes: number): void {
    this.#rows -= rows
    this.#bytes -= bytes
    this.#admit()
  }

  /** Sends everybody away who waits, and who comes. */
  close(error: Error): void {
    this.#closed = error
    for (const waiting of this.#queue.splice(0)) waiting.refuse(error)
  }

  #admit(): void {
    for (let next = this.#queue[0]; next !== undefined && this.#fits(next.rows, next.bytes); next = this.#queue[0]) {
      this.#queue.shift()
      this.#take(next.rows, next.bytes)
      next.enter()
    }
  }

  #take(rows: number, bytes: number): void {
    this.#rows += rows
    this.#bytes += bytes
  }

  #fits(rows: number, bytes: number): boolean {
    return this.#rows === 0 || (this.#rows + rows <= this.#maxRows && this.#bytes + bytes <= this.#maxBytes)
  }
}
