import type { ColumnLayout, ColumnValues } from '@smart-whale/interfaces'
import { EARLIEST_MS, EPOCH_MS } from '../time-codecs.ts'
import { type ColumnFields, viewOf } from './column-fields.ts'
import { LENGTH_BYTES, type RowBlock } from './row-block.ts'

/** Puts one value, its big end first, where it goes; false when it is none that the type takes. */
type PutValue = (from: DataView, at: number, to: DataView, place: number) => boolean

/** Values of one length: how many bytes they have in a column, how many in a field, and how they get from there to here. */
interface FixedForm {
  readonly width: number
  readonly fieldWidth: number
  readonly put: PutValue
}

const WORD = 0x1_0000_0000
const EPOCH_DAYS = EPOCH_MS / 86_400_000
const EARLIEST_DAYS = EARLIEST_MS / 86_400_000
/** What a Date holds at most. */
const LATEST_MS = 8.64e15
const LATEST_DAYS = LATEST_MS / 86_400_000

const putInt32: PutValue = (from, at, to, place) => {
  to.setInt32(place, from.getInt32(at, true))
  return true
}

const putInt64: PutValue = (from, at, to, place) => {
  to.setInt32(place, from.getInt32(at + 4, true))
  to.setInt32(place + 4, from.getInt32(at, true))
  return true
}

const putInt32As64: PutValue = (from, at, to, place) => {
  const value = from.getInt32(at, true)
  to.setInt32(place, value >> 31)
  to.setInt32(place + 4, value)
  return true
}

const putInt32As16: PutValue = (from, at, to, place) => {
  const value = from.getInt32(at, true)
  to.setInt16(place, value)
  return value === (value << 16) >> 16
}

const putBoolean: PutValue = (from, at, to, place) => {
  const value = from.getUint8(at)
  to.setUint8(place, value)
  return value <= 1
}

const putUuid: PutValue = (from, at, to, place) => {
  for (let offset = 0; offset < 16; offset += 4) to.setInt32(place + offset, from.getInt32(at + offset))
  return true
}

const putDay: PutValue = (from, at, to, place) => {
  const days = from.getInt32(at, true)
  to.setInt32(place, days - EPOCH_DAYS)
  return days >= EARLIEST_DAYS && days <= LATEST_DAYS
}

/** Microseconds since 2000 don't fit into a safe integer: they are multiplied as two words. */
const putMilliseconds: PutValue = (from, at, to, place) => {
  const milliseconds = from.getInt32(at + 4, true) * WORD + from.getUint32(at, true)
  const since2000 = milliseconds - EPOCH_MS
  const high = Math.floor(since2000 / WORD)
  const low = (since2000 - high * WORD) * 1000
  to.setInt32(place, high * 1000 + Math.floor(low / WORD))
  to.setInt32(place + 4, low)
  return milliseconds >= EARLIEST_MS && milliseconds <= LATEST_MS
}

const form = (width: number, put: PutValue, fieldWidth = width): FixedForm => ({ width, fieldWidth, put })
const TIME = form(8, putMilliseconds)

/** By layout and type: what is not in here is written by rows. */
const FORMS: Partial<Readonly<Record<ColumnLayout, Readonly<Record<string, FixedForm>>>>> = {
  int32: { int2: form(4, putInt32As16, 2), int4: form(4, putInt32), int8: form(4, putInt32As64, 8) },
  int64: { int8: form(8, putInt64) },
  float64: { float8: form(8, putInt64) },
  boolean: { bool: form(1, putBoolean) },
  uuid: { uuid: form(16, putUuid) },
  days: { date: form(4, putDay) },
  milliseconds: { timestamptz: TIME, timestamp: TIME },
}

/** Fields for values of one length; null for a type that they are not of. @param type `pg_type.typname` */
export function fixedFields(values: ColumnValues, type: string): ColumnFields | null {
  const found = FORMS[values.layout]?.[type]
  return found === undefined ? null : new FixedFields(values, found)
}

class FixedFields implements ColumnFields {
  readonly #source: DataView
  readonly #nulls: Uint8Array | null
  /** From one value to the next; none where all rows have the same one. */
  readonly #step: number
  readonly #width: number
  readonly #put: PutValue

  constructor({ bytes, isConstant, nulls }: ColumnValues, { width, fieldWidth, put }: FixedForm) {
    this.#source = viewOf(bytes)
    this.#nulls = nulls
    this.#step = isConstant ? 0 : width
    this.#width = fieldWidth
    this.#put = put
  }

  measure({ places, first, rows }: RowBlock): boolean {
    const nulls = this.#nulls
    const bytes = LENGTH_BYTES + this.#width
    for (let row = 0; row < rows; row++) places[row] = (places[row] as number) + (nulls !== null && nulls[first + row] === 1 ? LENGTH_BYTES : bytes)
    return true
  }

  write(block: RowBlock): boolean {
    const { first, rows, view } = block
    const [source, nulls, width, put] = [this.#source, this.#nulls, this.#width, this.#put]
    for (let row = 0, at = first * this.#step; row < rows; row++, at += this.#step) {
      if (nulls !== null && nulls[first + row] === 1) block.none(row)
      else if (!put(source, at, view, block.field(row, width))) return false
    }
    return true
  }
}
