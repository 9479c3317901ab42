import type { ColumnValues } from '@smart-whale/interfaces'
import type { NumericLimit } from '../numeric-codec.ts'
import { type ColumnFields, viewOf } from './column-fields.ts'
import { LENGTH_BYTES, type RowBlock } from './row-block.ts'

const WORD = 0x1_0000_0000
/** A numeric is groups of four decimal digits, counted from the point; before them stand their count, the first one's place, sign and scale. */
const GROUP = 10_000
const GROUP_DIGITS = 4
const HEAD_BYTES = 8
const GROUP_BYTES = 2
const NEGATIVE = 0x4000
const POWERS_OF_TEN = [1, 10, 100, 1000] as const

/** Fields for decimals; null for a numeric that some of them don't fit, or that would round them. */
export function decimalFields(values: ColumnValues, limit: NumericLimit | undefined): ColumnFields | null {
  const { precision, scale, layout } = values
  if (limit !== undefined && (limit.scale < scale || limit.precision - limit.scale < precision - scale)) return null
  return new DecimalFields(values, layout === 'decimal32' ? 4 : 8)
}

class DecimalFields implements ColumnFields {
  readonly #source: DataView
  readonly #nulls: Uint8Array | null
  readonly #width: number
  readonly #step: number
  readonly #decimal: Decimal

  constructor({ bytes, isConstant, nulls, precision, scale }: ColumnValues, width: number) {
    this.#source = viewOf(bytes)
    this.#nulls = nulls
    this.#width = width
    this.#decimal = new Decimal(precision, scale)
    this.#step = isConstant ? 0 : width
  }

  measure({ places, first, rows }: RowBlock): boolean {
    const nulls = this.#nulls
    const decimal = this.#decimal
    for (let row = 0; row < rows; row++) {
      const isNull = nulls !== null && nulls[first + row] === 1
      if (!isNull && !this.#read(first + row)) return false
      places[row] = (places[row] as number) + LENGTH_BYTES + (isNull ? 0 : decimal.bytes)
    }
    return true
  }

  write(block: RowBlock): boolean {
    const { first, rows, view } = block
    const nulls = this.#nulls
    for (let row = 0; row < rows; row++) {
      if (nulls !== null && nulls[first + row] === 1) {
        block.none(row)
        continue
      }
      this.#read(first + row)
      this.#decimal.write(view, block.field(row, this.#decimal.bytes))
    }
    return true
  }

  #read(row: number): boolean {
    const at = row * this.#step
    const low = this.#source.getInt32(at, true)
    const high = this.#width === 8 ? this.#source.getInt32(at + 4, true) : low >> 31
    return this.#decimal.read(high, low)
  }
}

/** One decimal, as the groups that a numeric is made of. */
class Decimal {
  /** From the last one to the first. */
  readonly #groups = new Int16Array(6)
  /** Groups between these are written: zeros at either end are not. */
  #from = 0
  #to = 0
  #isNegative = false
  /** Without its sign, in two words; then what of it is not in groups yet. */
  #high = 0
  #low = 0
  /** Digits behind the point, and the most that there may be. */
  #scale = 0
  readonly #mostScale: number
  /** One more than the most that it may be. */
  readonly #limitHigh: number
  readonly #limitLow: number

  constructor(precision: number, scale: number) {
    const limit = 10n ** BigInt(precision)
    this.#mostScale = scale
    this.#limitHigh = Number(limit / BigInt(WORD))
    this.#limitLow = Number(limit % BigInt(WORD))
  }

  get bytes(): number {
    return HEAD_BYTES + GROUP_BYTES * (this.#to - this.#from)
  }

  /** Takes an unscaled value in two words; false when it has more digits than it may have. */
  read(high: number, low: number): boolean {
    this.#isNegative = high < 0
    // Without its sign: the complement, and one more.
    this.#low = this.#isNegative ? -low >>> 0 : low >>> 0
    this.#high = (this.#isNegative ? (low === 0 ? -high : ~high) : high) >>> 0
    if (this.#high > this.#limitHigh || (this.#high === this.#limitHigh && this.#low >= this.#limitLow)) return false
    this.#scale = this.#mostScale
    this.#stripZeros()
    this.#group()
    return true
  }

  write(view: DataView, at: number): void {
    const length = this.#to - this.#from
    view.setInt16(at, length)
    view.setInt16(at + 2, length === 0 ? 0 : this.#to - 1 - Math.ceil(this.#scale / GROUP_DIGITS))
    view.setUint16(at + 4, this.#isNegative ? NEGATIVE : 0)
    view.setInt16(at + 6, this.#scale)
    for (let index = 0; index < length; index++) view.setInt16(at + HEAD_BYTES + GROUP_BYTES * index, this.#groups[this.#to - 1 - index] as number)
  }

  /** A row has a decimal without zeros at its end: 12.5, and a server that is told no scale keeps it so. */
  #stripZeros(): void {
    while (this.#scale > 0) {
      const [high, low] = [this.#high, this.#low]
      if (this.#divide(10) > 0) {
        this.#high = high
        this.#low = low
        return
      }
      this.#scale--
    }
  }

  #group(): void {
    const groups = this.#groups
    let count = 0
    // The last digits behind the point may be fewer than a group.
    const rest = this.#scale % GROUP_DIGITS
    if (rest > 0) groups[count++] = this.#divide(POWERS_OF_TEN[rest] as number) * (POWERS_OF_TEN[GROUP_DIGITS - rest] as number)
    while (this.#low > 0 || this.#high > 0) groups[count++] = this.#divide(GROUP)
    while (count > 0 && groups[count - 1] === 0) count--
    this.#from = 0
    while (this.#from < count && groups[this.#from] === 0) this.#from++
    this.#to = count
  }

  /** Divides by a small number; answers what is left over. */
  #divide(by: number): number {
    const upper = Math.floor(this.#high / by)
    const rest = (this.#high - upper * by) * WORD + this.#low
    this.#high = upper
    this.#low = Math.floor(rest / by)
    return rest - this.#low * by
  }
}
