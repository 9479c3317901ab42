import { Fifo } from './fifo.ts'
import type { FramePart } from './frame.ts'

/** Records on their way into the log. */
export interface PendingAppend {
  /** The offset of the first record, when all are durable. */
  readonly stored: Promise<number>
  /** Takes it back; false when it is already being written. */
  cancel(): boolean
}

/** What waits to be written, with whom to tell. */
export interface QueuedAppend {
  readonly part: FramePart
  readonly resolve: (firstOffset: number) => void
  readonly reject: (error: unknown) => void
}

interface Entry extends QueuedAppend {
  state: 'queued' | 'taken' | 'cancelled'
}

/** Appends that wait while one is being written; taken in groups that become one write. */
export class AppendQueue {
  readonly #entries = new Fifo<Entry>()
  #bytes = 0

  /** Bytes that wait, and those that were taken and are not yet {@link written}. */
  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  push(part: FramePart): PendingAppend {
    const stored = Promise.withResolvers<number>()
    const entry: Entry = { part, resolve: stored.resolve, reject: stored.reject, state: 'queued' }
    this.#entries.push(entry)
    this.#bytes += part.body.length
    return { stored: stored.promise, cancel: () => this.#cancel(entry) }
  }

  /** As many as make one write of at most `maxBytes`, but at least one; none when the queue is empty. */
  takeGroup(maxBytes: number): QueuedAppend[] {
    const group: Entry[] = []
    let bytes = 0
    for (let next = this.#entries.at(0); next !== undefined; next = this.#entries.at(0)) {
      if (next.state === 'queued') {
        if (group.length > 0 && bytes + next.part.body.length > maxBytes) break
        next.state = 'taken'
        bytes += next.part.body.length
        group.push(next)
      }
      this.#entries.shift()
    }
    return group
  }

  /** Says that a group that was taken waits no more. */
  written(group: readonly QueuedAppend[]): void {
    for (const entry of group) this.#bytes -= entry.part.body.length
  }

  rejectAll(error: unknown): void {
    const group = this.takeGroup(Infinity)
    for (const entry of group) entry.reject(error)
    this.written(group)
  }

  #cancel(entry: Entry): boolean {
    if (entry.state !== 'queued') return entry.state === 'cancelled'
    entry.state = 'cancelled'
    this.#bytes -= entry.part.body.length
    return true
  }
}
