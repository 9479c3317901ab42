import { type Codec, Unfit, wanted } from './codec.ts'
import type { BinaryWriter } from './binary-writer.ts'

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i
const SIGN = { positive: 0x0000, negative: 0x4000, notANumber: 0xc000, infinite: 0xd000, negativeInfinite: 0xf000 }
/** Digits before and after the point that PostgreSQL stores at most. */
const MOST_WHOLE = 131_072
const MOST_FRACTION = 16_383

/** A decimal taken apart: no exponent, no zeros in front. */
interface Decimal {
  readonly negative: boolean
  readonly whole: string
  readonly fraction: string
}

/** `numeric(precision, scale)`: digits in all, and of these after the point. */
export interface NumericLimit {
  readonly precision: number
  readonly scale: number
}

/** numeric, exact: from decimal strings, bigints and numbers (by their shortest text). */
export function numericCodec(limit?: NumericLimit): Codec {
  return (value, writer) => {
    if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'string') return wanted('a decimal string, a number or a bigint', value)
    const special = SPECIAL[String(value)]
    if (special !== undefined) return special !== SIGN.notANumber && limit ? new Unfit('is infinite, which this column can not hold') : writeSpecial(special, writer)
    const decimal = parseDecimal(String(value))
    if (!decimal) return new Unfit('is no decimal number')
    if (decimal.whole.length > MOST_WHOLE || decimal.fraction.length > MOST_FRACTION) return new Unfit('has more digits than numeric holds')
    if (limit && exceeds(decimal, limit)) return new Unfit(`has more than ${limit.precision - limit.scale} digits before the point`)
    writeDecimal(decimal, writer)
    return undefined
  }
}

const SPECIAL: Readonly<Record<string, number>> = { NaN: SIGN.notANumber, Infinity: SIGN.infinite, '-Infinity': SIGN.negativeInfinite }

function parseDecimal(text: string): Decimal | undefined {
  const match = text.length > MOST_WHOLE + MOST_FRACTION + 20 ? null : DECIMAL.exec(text)
  if (!match) return undefined
  const [, sign, before = '', after = '', exponentText] = match
  if (before.length + after.length === 0) return undefined
  const exponent = Number(exponentText ?? 0)
  if (Math.abs(exponent) > MOST_WHOLE + MOST_FRACTION) return undefined
  const digits = before + after
  const point = before.length + exponent
  const padded = point < 0 ? '0'.repeat(-point) + digits : digits.padEnd(point, '0')
  const at = Math.max(point, 0)
  return { negative: sign === '-', whole: padded.slice(0, at).replace(/^0+/, ''), fraction: padded.slice(at) }
}

/** Whether it is too big once rounded to the scale, half away from zero, as the server rounds. */
function exceeds(decimal: Decimal, { precision, scale }: NumericLimit): boolean {
  if (decimal.whole.length + scale < precision) return false
  const kept = scale >= 0 ? decimal.fraction.slice(0, scale).padEnd(scale, '0') : ''
  const digits = decimal.whole + decimal.fraction
  const cut = decimal.whole.length + scale
  const scaled = BigInt((scale >= 0 ? decimal.whole + kept : decimal.whole.slice(0, Math.max(cut, 0))) || '0')
  const rounded = (digits[cut] ?? '0') >= '5' ? scaled + 1n : scaled
  return rounded >= 10n ** BigInt(precision)
}

function writeSpecial(sign: number, writer: BinaryWriter): undefined {
  for (const part of [0, 0, sign, 0]) writer.uint16(part)
}

/** Groups of four digits, counted from the point; zeros at either end are left out. */
function writeDecimal({ negative, whole, fraction }: Decimal, writer: BinaryWriter): void {
  const front = whole.padStart(Math.ceil(whole.length / 4) * 4, '0')
  const back = fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0')
  const groups = ((front + back).match(/\d{4}/g) ?? []).map(Number)
  let weight = front.length / 4 - 1
  let first = 0
  while (first < groups.length && groups[first] === 0) first++
  let last = groups.length
  while (last > first && groups[last - 1] === 0) last--
  weight = last === first ? 0 : weight - first
  writer.int16(last - first)
  writer.int16(weight)
  writer.uint16(negative && last > first ? SIGN.negative : SIGN.positive)
  writer.int16(fraction.length)
  for (let index = first; index < last; index++) writer.int16(groups[index] as number)
}
