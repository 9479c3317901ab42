import type { ByteReader } from './byte-reader.ts'
import type { CellDecoder } from './cell-decoder-port.ts'

const WORD_BYTES = 8

/** Integers of 128 and 256 bits: two's complement, little end first. */
export function largeIntegerDecoder(bytes: 16 | 32, signed: boolean): CellDecoder {
  return (reader) => largeInteger(reader, bytes, signed)
}

function largeInteger(reader: ByteReader, bytes: number, signed: boolean): bigint {
  const start = reader.take(bytes)
  let value = 0n
  for (let offset = bytes - WORD_BYTES; offset >= 0; offset -= WORD_BYTES) value = (value << 64n) | reader.buffer.readBigUInt64LE(start + offset)
  return signed ? BigInt.asIntN(bytes * 8, value) : value
}

/** The upper half of a 32-bit float. */
export function bfloat16(reader: ByteReader): number {
  SCRATCH.setUint16(0, reader.buffer.readUInt16LE(reader.take(2)))
  return SCRATCH.getFloat32(0)
}

const SCRATCH = new DataView(new ArrayBuffer(4))

/** Decimals as text with all the digits of their scale. */
export function decimalDecoder(precision: number, scale: number): CellDecoder {
  const unscaledOf = unscaledDecoder(precision)
  return (reader) => {
    const unscaled = unscaledOf(reader)
    if (scale === 0) return String(unscaled)
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
    return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  }
}

function unscaledDecoder(precision: number): (reader: ByteReader) => bigint {
  if (precision <= 9) return (reader) => BigInt(reader.buffer.readInt32LE(reader.take(4)))
  if (precision <= 18) return (reader) => reader.buffer.readBigInt64LE(reader.take(8))
  return (reader) => largeInteger(reader, precision <= 38 ? 16 : 32, true)
}
