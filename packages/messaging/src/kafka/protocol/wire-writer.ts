import { messagingValidationError } from '../../errors.ts'
import { kafkaUuidBytes } from './kafka-uuid.ts'

/** A text's length goes into 16 bits. */
const MAX_TEXT_BYTES = 32_767
/** From here on bytes stay where they are: to copy them would cost more than to send one piece more. */
const LARGE = 16 * 1024

/** Writes a request's body; grows as it needs to. */
export class WireWriter {
  #bytes: Buffer
  #length = 0
  /** What comes first, as far as something large lies behind it; and that. */
  readonly #pieces: Uint8Array[] = []
  /** Where that ends which is among the pieces already. */
  #begin = 0

  /** @param capacity how many bytes there is room for before the first growth */
  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  /** What was written, in order; views, also of what was given. */
  pieces(): readonly Uint8Array[] {
    return [...this.#pieces, this.#bytes.subarray(this.#begin, this.#length)]
  }

  /** What was written; a view, unless something large was given. */
  written(): Uint8Array {
    const pieces = this.pieces()
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces)
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  int8(value: number): this {
    const at = this.#room(1)
    this.#bytes.writeInt8(value, at)
    return this
  }

  int16(value: number): this {
    const at = this.#room(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#room(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }

  int64(value: bigint): this {
    const at = this.#room(8)
    this.#bytes.writeBigInt64BE(value, at)
    return this
  }

  uuid(id: string): this {
    return this.#raw(kafkaUuidBytes(id))
  }

  unsignedVarint(value: number): this {
    let rest = value
    while (rest >= 0x80) {
      this.#byte((rest & 0x7f) | 0x80)
      rest = Math.floor(rest / 128)
    }
    return this.#byte(rest)
  }

  string(value: string): this {
    const bytes = Buffer.from(value)
    if (bytes.length > MAX_TEXT_BYTES) throw tooLong(bytes.length)
    return this.int16(bytes.length).#raw(bytes)
  }

  nullableString(value: string | null): this {
    return value === null ? this.int16(-1) : this.string(value)
  }

  compactString(value: string): this {
    const bytes = Buffer.from(value)
    return this.unsignedVarint(bytes.length + 1).#raw(bytes)
  }

  compactNullableString(value: string | null): this {
    return value === null ? this.compactNull() : this.compactString(value)
  }

  /** Not to be changed before what was written is sent. */
  bytes(value: Uint8Array): this {
    this.int32(value.length)
    if (value.length < LARGE) return this.#raw(value)
    this.#pieces.push(this.#bytes.subarray(this.#begin, this.#length), value)
    this.#begin = this.#length
    return this
  }

  array<T>(elements: readonly T[], element: (value: T) => void): this {
    this.int32(elements.length)
    for (const value of elements) element(value)
    return this
  }

  compactArray<T>(elements: readonly T[], element: (value: T) => void): this {
    this.unsignedVarint(elements.length + 1)
    for (const value of elements) element(value)
    return this
  }

  /** A null list of a flexible version. */
  compactNull(): this {
    return this.unsignedVarint(0)
  }

  /** No tagged fields. */
  tags(): this {
    return this.unsignedVarint(0)
  }

  #byte(value: number): this {
    const at = this.#room(1)
    this.#bytes[at] = value
    return this
  }

  #raw(value: Uint8Array): this {
    const at = this.#room(value.length)
    this.#bytes.set(value, at)
    return this
  }

  /** Where the next bytes go, with room for them. */
  #room(length: number): number {
    const at = this.#length
    if (at + length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, at + length))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
    }
    this.#length = at + length
    return at
  }
}

function tooLong(bytes: number): Error {
  const message = `a text has ${bytes} bytes; Kafka takes ${MAX_TEXT_BYTES} at most`
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', message, [{ path: [], message }])
}
