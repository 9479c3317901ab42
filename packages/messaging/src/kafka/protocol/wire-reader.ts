import { kafkaError } from '../../errors.ts'
import { kafkaUuid } from './kafka-uuid.ts'

/**
 * Reads what a broker answered. Nothing is believed: a length or count that the remaining bytes can't hold ends the reading
 * with `ERR_MESSAGING_PROTOCOL`, before anything is allocated for it.
 */
export class WireReader {
  readonly #bytes: Buffer
  readonly #what: string
  #at = 0

  /** `what` names the answer in the error's message. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  /** Sixteen bytes, in the form in which Kafka's own tools print them. */
  uuid(): string {
    const start = this.#take(16)
    return kafkaUuid(this.#bytes.subarray(start, start + 16))
  }

  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)] ?? 0
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw this.malformed('has a number that never ends')
  }

  string(): string {
    return this.nullableString() ?? this.#notNull('text')
  }

  nullableString(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.#text(length)
  }

  compactString(): string {
    return this.compactNullableString() ?? this.#notNull('text')
  }

  compactNullableString(): string | null {
    const length = this.unsignedVarint() - 1
    return length < 0 ? null : this.#text(length)
  }

  /** A view, no copy. */
  bytes(): Uint8Array {
    const length = this.int32()
    return length < 0 ? this.#notNull('bytes') : this.#view(length)
  }

  /** A view, no copy; nothing is as good as null here. */
  compactNullableBytes(): Uint8Array {
    return this.#view(Math.max(0, this.unsignedVarint() - 1))
  }

  /** A null list reads as an empty one. */
  array<T>(element: () => T): T[] {
    return this.#elements(this.int32(), element)
  }

  /** A null list reads as an empty one. */
  compactArray<T>(element: () => T): T[] {
    return this.#elements(this.unsignedVarint() - 1, element)
  }

  /** Skips what newer brokers tell besides. */
  tags(): void {
    const count = this.unsignedVarint()
    if (count > this.remaining) throw this.malformed(`names ${count} tagged fields and has ${this.remaining} bytes left`)
    for (let index = 0; index < count; index++) {
      this.unsignedVarint()
      this.#view(this.unsignedVarint())
    }
  }

  /** What is left over was written in another version than it was read in. */
  end(): void {
    if (this.remaining > 0) throw this.malformed(`has ${this.remaining} bytes too many`)
  }

  malformed(how: string): Error {
    return kafkaError('ERR_MESSAGING_PROTOCOL', `the broker's answer to ${this.#what} ${how}; is it Apache Kafka 3.1 or newer, and nothing in between?`, {
      context: { request: this.#what, bytes: this.#bytes.length, at: this.#at },
    })
  }

  /** Even the smallest element is a byte, so that a list can't have more elements than there are bytes. */
  #elements<T>(count: number, element: () => T): T[] {
    if (count > this.remaining) throw this.malformed(`names ${count} elements and has ${this.remaining} bytes left`)
    const elements: T[] = []
    for (let index = 0; index < count; index++) elements.push(element())
    return elements
  }

  #text(length: number): string {
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  #view(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  #take(length: number): number {
    const start = this.#at
    if (length > this.#bytes.length - start) throw this.malformed(`is cut off: ${length} bytes wanted, ${this.remaining} there`)
    this.#at = start + length
    return start
  }

  #notNull(kind: string): never {
    throw this.malformed(`has null where ${kind} must be`)
  }
}
