import type { ByteWriter } from './byte-writer.ts'
import { CellRefusal, kindOf } from './cell-refusal.ts'

/** Writes one value, or answers why it can't. */
export type CellEncoder = (writer: ByteWriter, value: unknown) => CellRefusal | undefined

/** Integers of 8, 16 and 32 bits. */
export function smallIntegerEncoder(bits: 8 | 16 | 32, signed: boolean): CellEncoder {
  const min = signed ? -(2 ** (bits - 1)) : 0
  const max = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1
  const bytes = bits / 8
  return (writer, value) => {
    const number = typeof value === 'number' ? value : integerOf(value)
    if (typeof number !== 'number' || !Number.isInteger(number)) return notAnInteger(value)
    if (number < min || number > max) return new CellRefusal(`does not fit ${bits} bits${signed ? '' : ' without a sign'}`)
    writer.reserve(bytes)
    const { buffer } = writer
    let rest = number
    for (let index = 0; index < bytes; index++) {
      buffer[writer.at++] = rest & 0xff
      rest >>= 8
    }
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

/** Without a bigint in between: several times faster, and most 64-bit columns hold small numbers. */
function writeSafeInteger(writer: ByteWriter, value: number, bytes: number): undefined {
  writer.reserve(bytes)
  const high = Math.floor(value / 0x1_0000_0000)
  const { buffer } = writer
  writer.at = buffer.writeInt32LE(value | 0, writer.at)
  writer.at = buffer.writeInt32LE(high | 0, writer.at)
  if (bytes > 8) {
    buffer.fill(value < 0 ? 0xff : 0, writer.at, writer.at + bytes - 8)
    writer.at += bytes - 8
  }
}

/** Two's complement, little end first. */
export function writeBigint(writer: ByteWriter, value: bigint, bytes: number): void {
  writer.reserve(bytes)
  let rest = BigInt.asUintN(bytes * 8, value)
  for (let index = 0; index < bytes; index += 8) {
    const chunk = BigInt.asUintN(64, rest)
    if (bytes - index >= 8) writer.at = writer.buffer.writeBigUInt64LE(chunk, writer.at)
    else writer.at = writer.buffer.writeUInt32LE(Number(chunk), writer.at)
    rest >>= 64n
  }
}

/** Floats of 32 and 64 bits; infinities and NaN are values. */
export function floatEncoder(bits: 32 | 64): CellEncoder {
  return (writer, value) => {
    if (typeof value !== 'number') return new CellRefusal(`must be a number, is a ${kindOf(value)}`)
    writer.reserve(8)
    writer.at = bits === 32 ? writer.buffer.writeFloatLE(value, writer.at) : writer.buffer.writeDoubleLE(value, writer.at)
    return undefined
  }
}

/** Decimals, from digits, numbers or bigints; digits that the scale can't hold are refused, not rounded. */
export function decimalEncoder(precision: number, scale: number): CellEncoder {
  const bytes = precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32
  const limit = 10n ** BigInt(precision)
  return (writer, value) => {
    const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
    const parts = typeof text === 'string' ? /^(-?)(\d+)(?:\.(\d*))?$/.exec(text) : null
    if (parts === null) return new CellRefusal(`must be a decimal without exponent, is a ${kindOf(value)}`)
    const fraction = (parts[3] ?? '').replace(/0+$/, '')
    if (fraction.length > scale) return new CellRefusal(`has more than ${scale} digits behind the point`)
    const magnitude = BigInt((parts[2] ?? '0') + fraction.padEnd(scale, '0'))
    if (magnitude >= limit) return new CellRefusal(`has more than ${precision} digits`)
    writeBigint(writer, parts[1] === '-' ? -magnitude : magnitude, bytes)
    return undefined
  }
}
