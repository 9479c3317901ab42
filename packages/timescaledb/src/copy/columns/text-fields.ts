import type { ColumnValues } from '@smart-whale/interfaces'
import { JSONB_VERSION } from '../json-codec.ts'
import { type ColumnFields, viewOf } from './column-fields.ts'
import { LENGTH_BYTES, type RowBlock } from './row-block.ts'

/** What is asked of texts. */
export interface TextForm {
  /** The most characters; one that has more bytes than these may be too long. @default any */
  readonly maxLength?: number | undefined
  /** Whether the version of jsonb stands before each. @default false */
  readonly isJsonb?: boolean
}

/** Fields for texts, which the server checks for being UTF-8, and JSON where they should be. */
export function textFields(values: ColumnValues, { maxLength = Infinity, isJsonb = false }: TextForm): ColumnFields {
  return new TextFields(values, maxLength, isJsonb ? 1 : 0)
}

class TextFields implements ColumnFields {
  readonly #bytes: Buffer
  readonly #source: DataView
  readonly #nulls: Uint8Array | null
  readonly #isConstant: boolean
  readonly #maxLength: number
  /** Bytes before the text itself. */
  readonly #headBytes: number
  /** Where the next row's text is, its length included, for either step. */
  readonly #measured: TextCursor
  readonly #written: TextCursor
  /** The next zero among the bytes: an empty text has one as its length, no text may have one within. */
  #zeroAt = -1

  constructor({ bytes, isConstant, nulls }: ColumnValues, maxLength: number, headBytes: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#source = viewOf(bytes)
    this.#nulls = nulls
    this.#isConstant = isConstant
    this.#maxLength = maxLength
    this.#headBytes = headBytes
    this.#measured = new TextCursor(bytes)
    this.#written = new TextCursor(bytes)
  }

  measure({ places, first, rows }: RowBlock): boolean {
    const cursor = this.#measured
    const nulls = this.#nulls
    for (let row = 0; row < rows; row++) {
      this.#advance(cursor)
      if (nulls !== null && nulls[first + row] === 1) {
        places[row] = (places[row] as number) + LENGTH_BYTES
        continue
      }
      if (cursor.length > this.#maxLength || this.#hasZero(cursor)) return false
      places[row] = (places[row] as number) + LENGTH_BYTES + this.#headBytes + cursor.length
    }
    return true
  }

  write(block: RowBlock): boolean {
    const { first, rows } = block
    const cursor = this.#written
    const nulls = this.#nulls
    for (let row = 0; row < rows; row++) {
      this.#advance(cursor)
      if (nulls !== null && nulls[first + row] === 1) {
        block.none(row)
        continue
      }
      const place = block.field(row, this.#headBytes + cursor.length)
      if (this.#headBytes > 0) block.view.setUint8(place, JSONB_VERSION)
      block.copy(this.#source, cursor.start, cursor.length, place + this.#headBytes)
    }
    return true
  }

  #advance(cursor: TextCursor): void {
    if (this.#isConstant) cursor.start = cursor.length = 0
    cursor.next()
  }

  /** One search goes over many texts: it ends at the next one that is empty. */
  #hasZero({ start, length }: TextCursor): boolean {
    if (this.#zeroAt < start) {
      const found = this.#bytes.indexOf(0, start)
      this.#zeroAt = found < 0 ? Infinity : found
    }
    return start + length > this.#zeroAt
  }
}

/** Goes from text to text, each behind its length. */
class TextCursor {
  start = 0
  length = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  next(): void {
    const bytes = this.#bytes
    let at = this.start + this.length
    let length = 0
    let shift = 0
    let byte = 0
    do {
      byte = bytes[at++] as number
      length |= (byte & 0x7f) << shift
      shift += 7
    } while (byte >= 0x80)
    this.start = at
    this.length = length
  }
}
