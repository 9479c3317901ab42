import { type Codec, Unfit, wanted } from './codec.ts'

const WHOLE = /^[+-]?\d+$/
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const SPECIAL = new Set(['NaN', 'Infinity', '-Infinity'])
const UUID = /^\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i

/** boolean: nothing but true and false, so that a 0 or a "false" is never taken for one. */
export const booleanCodec: Codec = (value, writer) => {
  if (typeof value !== 'boolean') return wanted('a boolean', value)
  writer.int8(value ? 1 : 0)
  return undefined
}

/** int2 and int4. */
export function integerCodec(bits: 16 | 32): Codec {
  const limit = 2 ** (bits - 1)
  return (value, writer) => {
    const whole = typeof value === 'number' ? value : wholeOf(value)
    if (whole === undefined) return wanted(`a whole number (number, bigint or string of digits)`, value)
    if (!Number.isInteger(Number(whole))) return new Unfit('must be a whole number')
    if (whole < -limit || whole >= limit) return new Unfit(`must be from ${-limit} to ${limit - 1}`)
    if (bits === 16) writer.int16(Number(whole))
    else writer.int32(Number(whole))
    return undefined
  }
}

const INT8_LIMIT = 2n ** 63n

/** int8. Numbers that a number does not hold exactly are refused: they would be stored as others. */
export const int8Codec: Codec = (value, writer) => {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    return new Unfit(Number.isInteger(value) ? 'is a number beyond what a number holds exactly; pass a bigint' : 'must be a whole number')
  }
  const whole = typeof value === 'number' ? BigInt(value) : wholeOf(value)
  if (whole === undefined) return wanted('a whole number (number, bigint or string of digits)', value)
  if (whole < -INT8_LIMIT || whole >= INT8_LIMIT) return new Unfit('must be from -9223372036854775808 to 9223372036854775807')
  writer.int64(whole)
  return undefined
}

function wholeOf(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value
  return typeof value === 'string' && value.length <= 30 && WHOLE.test(value) ? BigInt(value) : undefined
}

/** float4 and float8. */
export function floatCodec(bits: 32 | 64): Codec {
  return (value, writer) => {
    const number = numberOf(value)
    if (number === undefined) return wanted('a number', value)
    if (bits === 64) {
      writer.float64(number)
      return undefined
    }
    if (Number.isFinite(number) && !Number.isFinite(Math.fround(number))) return new Unfit('is beyond what a 32-bit float holds')
    writer.float32(number)
    return undefined
  }
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'string') return undefined
  return DECIMAL.test(value) || SPECIAL.has(value) ? Number(value) : undefined
}

/** text and its kin; `maxLength` counts characters. */
export function textCodec(maxLength?: number): Codec {
  return (value, writer) => {
    if (typeof value !== 'string') return wanted('a string', value)
    if (value.includes('\0')) return new Unfit('holds a zero byte, which PostgreSQL can not store in text')
    if (!value.isWellFormed()) return new Unfit('holds half of a surrogate pair: it has no UTF-8')
    // What is too long only by spaces at its end is cut by the server, as the standard wants it.
    if (maxLength !== undefined && value.length > maxLength && isLonger(value, maxLength)) return new Unfit(`is longer than ${maxLength} characters`)
    writer.utf8(value)
    return undefined
  }
}

function isLonger(text: string, maxLength: number): boolean {
  return [...text].slice(maxLength).some((character) => character !== ' ')
}

/** uuid, with or without hyphens and braces, in either case. */
export const uuidCodec: Codec = (value, writer) => {
  const parts = typeof value === 'string' ? UUID.exec(value) : null
  if (!parts) return typeof value === 'string' ? new Unfit('is no UUID') : wanted('a UUID string', value)
  writer.bytes(Buffer.from(parts.slice(1).join(''), 'hex'))
  return undefined
}

/** bytea. */
export const bytesCodec: Codec = (value, writer) => {
  if (value instanceof ArrayBuffer) writer.bytes(new Uint8Array(value))
  else if (value instanceof Uint8Array) writer.bytes(value)
  else return wanted('bytes (Uint8Array)', value)
  return undefined
}
