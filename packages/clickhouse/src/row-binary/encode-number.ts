import type { ByteWriter } from './byte-writer.ts'
import { CellRefusal, kindOf } from './cell-refusal.ts'

/** Writes one value, or answers why it can't. */
export type CellEncoder = (writer: ByteWriter, value: unknown) => CellRefusal | undefined

/** Integers of 8, 16 and 32 bits. */
export function smallIntegerEncoder(bits: 8 | 16 | 32, signed: boolean): CellEncoder {
  const min = signed ? -(2 ** (bits - 1)) : 0
  const max = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1
  return (writer, value) => {
    const number = typeof value === 'number' ? value : integerOf(value)
    if (typeof number !== 'number' || !Number.isInteger(number)) return notAnInteger(value)
    if (number < min || number > max) return new CellRefusal(`does not fit ${bits} bits${signed ? '' : ' without a sign'}`)
    if (bits === 32) writer.int32(number)
    else if (bits === 16) writer.int16(number)
    else writer.byte(number & 0xff)
    return undefined
  }
}

function integerOf(value: unknown): number | null {
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'string' && /^-?\d{1,11}$/.test(value) ? Number(value) : null
}

function notAnInteger(value: unknown): CellRefusal {
  return new CellRefusal(`must be an integer, is a ${typeof value === 'number' ? 'fraction' : kindOf(value)}`)
}

/** Integers of 64 bits and more, from numbers, bigints or digits. */
export function largeIntegerEncoder(bits: 64 | 128 | 256, signed: boolean): CellEncoder {
  const min = signed ? -(2n ** BigInt(bits - 1)) : 0n
  const max = signed ? 2n ** BigInt(bits - 1) - 1n : 2n ** BigInt(bits) - 1n
  return (writer, value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && (signed || value >= 0)) return writeSafeInteger(writer, value, bits / 8)
    const integer = bigintOf(value)
    if (integer === null) return typeof value === 'number' && Number.isInteger(value) ? new CellRefusal('is an integer beyond 2^53 as a number; give a bigint or its digits') : notAnInteger(value)
    if (integer < min || integer > max) return new CellRefusal(`does not fit ${bits} bits${signed ? '' : ' without a sign'}`)
    writeBigint(writer, integer, bits / 8)
    return undefined
  }
}

function bigintOf(value: unknown): bigint | null {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null
  return typeof value === 'string' && /^-?\d{1,80}$/.test(value) ? BigInt(value) : null
}

function writeSafeInteger(writer: ByteWriter, value: number, bytes: number): undefined {
  writer.safeInt64(value)
  // The sign goes on to the end.
  for (let index = 8; index < bytes; index += 4) writer.int32(value < 0 ? -1 : 0)
}

/** Two's complement, little end first. */
function writeBigint(writer: ByteWriter, value: bigint, bytes: number): void {
  writer.int64(value)
  for (let index = 8; index < bytes; index += 8) writer.int64(value >> BigInt(index * 8))
}

/** Floats of 16, 32 and 64 bits; infinities and NaN are values. Digits that a narrow float has no room for are rounded away, as everywhere. */
export function floatEncoder(bits: 16 | 32 | 64): CellEncoder {
  return (writer, value) => {
    if (typeof value !== 'number') return new CellRefusal(`must be a number, is a ${kindOf(value)}`)
    if (bits === 64) writer.float64(value)
    else if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) return new CellRefusal(`does not fit a float of ${bits} bits`)
    else if (bits === 32) writer.float32(value)
    else writer.int16(bfloat16(value))
    return undefined
  }
}

const SCRATCH = new DataView(new ArrayBuffer(4))

/** The upper half of a 32-bit float, cut as the server cuts it. */
function bfloat16(value: number): number {
  SCRATCH.setFloat32(0, value)
  return SCRATCH.getUint16(0)
}

/** Units of an interval: an integer of 64 bits. */
export const intervalEncoder: CellEncoder = largeIntegerEncoder(64, true)

/** Decimals, from digits, numbers or bigints; digits that the scale can't hold are refused, not rounded. */
export function decimalEncoder(precision: number, scale: number): CellEncoder {
  const bytes = precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32
  const limit = 10n ** BigInt(precision)
  return (writer, value) => {
    const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
    const short = typeof text === 'string' && bytes <= 8 ? shortDecimal(text, precision, scale) : null
    if (short !== null) {
      if (bytes === 4) writer.int32(short)
      else writer.safeInt64(short)
      return undefined
    }
    const parts = typeof text === 'string' ? /^(-?)(\d+)(?:\.(\d*))?$/.exec(text) : null
    if (parts === null) return new CellRefusal(`must be a decimal without exponent, is a ${kindOf(value)}`)
    const fraction = (parts[3] ?? '').replace(/0+$/, '')
    if (fraction.length > scale) return new CellRefusal(`has more than ${scale} digits behind the point`)
    const magnitude = BigInt((parts[2] ?? '0') + fraction.padEnd(scale, '0'))
    if (magnitude >= limit) return new CellRefusal(`has more than ${precision} digits`)
    const unscaled = parts[1] === '-' ? -magnitude : magnitude
    if (bytes === 4) writer.int32(Number(unscaled))
    else writeBigint(writer, unscaled, bytes)
    return undefined
  }
}

/** Up to this many digits are a safe integer. */
const SAFE_DIGITS = 15
const POINT = 0x2e
const ZERO = 0x30

/**
 * The unscaled value of a decimal of a few digits, read without a regular expression and a bigint: prices are of that kind, and it is
 * several times faster. Null for whatever is longer or in any way odd: that goes the long way, which knows the reasons.
 */
function shortDecimal(text: string, precision: number, scale: number): number | null {
  const first = text.startsWith('-') ? 1 : 0
  if (text.length - first > SAFE_DIGITS || text.length === first) return null
  let unscaled = 0
  let point = -1
  for (let index = first; index < text.length; index++) {
    const digit = text.charCodeAt(index) - ZERO
    if (digit >= 0 && digit <= 9) unscaled = unscaled * 10 + digit
    else if (digit === POINT - ZERO && point === -1 && index > first) point = index
    else return null
  }
  const missing = scale - (point === -1 ? 0 : text.length - point - 1)
  if (missing < 0 || missing > SAFE_DIGITS) return null
  unscaled *= POWERS_OF_TEN[missing] as number
  if (unscaled > Number.MAX_SAFE_INTEGER || unscaled >= (POWERS_OF_TEN[precision] ?? Infinity)) return null
  return first === 1 ? -unscaled : unscaled
}

const POWERS_OF_TEN = Array.from({ length: SAFE_DIGITS + 1 }, (_, exponent) => 10 ** exponent)
