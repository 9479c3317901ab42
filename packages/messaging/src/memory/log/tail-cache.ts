import { Fifo } from './fifo.ts'

interface CachedFrame {
  readonly position: number
  readonly bytes: Buffer
}

/** What an entry costs beside its bytes, so that very small frames can't outgrow the budget. */
const ENTRY_BYTES = 200

/**
 * Frames that were just written, so that a reader at the end of the log needs no disk.
 * One budget for all segments; the oldest frame of all goes first, so that what a segment has left is always its end.
 */
export class TailCache {
  readonly #maxBytes: number
  readonly #frames = new Map<object, Fifo<CachedFrame>>()
  /** Whose frame is the oldest, the next oldest … */
  readonly #order = new Fifo<object>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.#bytes
  }

  add(segment: object, position: number, bytes: Buffer): void {
    let frames = this.#frames.get(segment)
    if (frames === undefined) {
      frames = new Fifo()
      this.#frames.set(segment, frames)
    }
    frames.push({ position, bytes })
    this.#order.push(segment)
    this.#bytes += bytes.length + ENTRY_BYTES
    while (this.#bytes > this.#maxBytes) this.#evictOldest()
  }

  /** The range, when the segment's cached end covers its begin; undefined otherwise. */
  read(segment: object, position: number, length: number): Buffer | undefined {
    const frames = this.#frames.get(segment)
    if (frames === undefined || (frames.at(0)?.position ?? Infinity) > position) return undefined
    const end = position + length
    const parts: Buffer[] = []
    for (let i = indexOfFrameAt(frames, position); i < frames.length; i++) {
      const frame = frames.at(i)
      if (frame === undefined || frame.position >= end) break
      parts.push(frame.bytes.subarray(Math.max(0, position - frame.position), end - frame.position))
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts)
  }

  /** Lets go of a segment that is closed. */
  forget(segment: object): void {
    const frames = this.#frames.get(segment)
    if (frames === undefined) return
    for (let frame = frames.shift(); frame !== undefined; frame = frames.shift()) this.#bytes -= frame.bytes.length + ENTRY_BYTES
    this.#frames.delete(segment)
    this.#order.filter((owner) => owner !== segment)
  }

  #evictOldest(): void {
    const segment = this.#order.shift()
    if (segment === undefined) return
    const frames = this.#frames.get(segment)
    const frame = frames?.shift()
    if (frame !== undefined) this.#bytes -= frame.bytes.length + ENTRY_BYTES
    if (frames?.length === 0) this.#frames.delete(segment)
  }
}

/** The last frame that begins at or before the position. */
function indexOfFrameAt(frames: Fifo<CachedFrame>, position: number): number {
  let low = 0
  let high = frames.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((frames.at(middle)?.position ?? Infinity) <= position) low = middle + 1
    else high = middle
  }
  return low - 1
}
