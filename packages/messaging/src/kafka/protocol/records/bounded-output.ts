import { giveBack, ownMemory } from '../../own-memory.ts'
import { damagedBlock } from './damaged-block.ts'

/** What a decompressor writes: grows as it needs to, up to a bound. */
export class BoundedOutput {
  bytes: Buffer
  length = 0
  readonly #maxBytes: number

  constructor(capacity: number, maxBytes: number) {
    this.bytes = ownMemory(Math.min(capacity, maxBytes))
    this.#maxBytes = maxBytes
  }

  /** Room for so many more bytes. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    if (needed > this.#maxBytes) throw damagedBlock(`decompresses to more than ${this.#maxBytes} bytes`)
    const grown = ownMemory(Math.min(this.#maxBytes, Math.max(needed, this.bytes.length * 2)))
    this.bytes.copy(grown, 0, 0, this.length)
    giveBack(this.bytes)
    this.bytes = grown
  }

  /** Bytes as they are. */
  append(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    this.bytes.set(source.subarray(start, end), this.length)
    this.length += end - start
  }

  /** Bytes that were written `distance` ago, once more; they may run into those that are being written. */
  repeat(distance: number, count: number): void {
    const from = this.length - distance
    if (distance < 1 || from < 0) throw damagedBlock('repeats bytes from before its beginning')
    this.reserve(count)
    if (distance >= count) this.bytes.copyWithin(this.length, from, from + count)
    else for (let index = 0; index < count; index++) this.bytes[this.length + index] = this.bytes[from + index] as number
    this.length += count
  }

  written(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
}
