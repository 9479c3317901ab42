import type { SegmentBytes } from './segment-bytes.ts'

const FIRST_ALLOCATION_BYTES = 4 * 1024

/** A segment that lives in this process alone. */
export class MemorySegmentBytes implements SegmentBytes {
  readonly mayRot = false
  #buffer = Buffer.alloc(0)
  #size = 0

  get size(): number {
    return this.#size
  }

  append(bytes: Buffer): Promise<void> {
    const needed = this.#size + bytes.length
    if (needed > this.#buffer.length) this.#grow(needed)
    this.#buffer.set(bytes, this.#size)
    this.#size = needed
    return Promise.resolve()
  }

  read(position: number, length: number): Promise<Buffer> {
    return Promise.resolve(this.#buffer.subarray(position, Math.min(this.#size, position + length)))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  remove(): Promise<void> {
    this.#buffer = Buffer.alloc(0)
    this.#size = 0
    return Promise.resolve()
  }

  /** Views that were handed out keep the old allocation: its bytes don't change any more. */
  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2, FIRST_ALLOCATION_BYTES))
    this.#buffer.copy(larger, 0, 0, this.#size)
    this.#buffer = larger
  }
}
