/** A number without rounding: `unscaled` divided by ten to the power of `scale`. */
export interface ExactDecimal {
  readonly unscaled: bigint
  readonly scale: number
}

/** The four operations of a `calculate` step. */
export type Operator = '+' | '-' | '*' | '/'

/** From digits like -12.50, or an integer; null for any other text. */
export function exactDecimal(value: string | number | bigint): ExactDecimal | null {
  const parts = /^(-?\d+)(?:\.(\d+))?$/.exec(String(value))
  if (parts === null) return null
  const fraction = parts[2] ?? ''
  return { unscaled: BigInt(`${parts[1]}${fraction}`), scale: fraction.length }
}

/** Below zero, zero or above it, as the first is less, equal or greater. */
export function compareExact(left: ExactDecimal, right: ExactDecimal): number {
  const scale = Math.max(left.scale, right.scale)
  const difference = scaledTo(left, scale) - scaledTo(right, scale)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** The result with so many digits behind the point, rounded half away from zero as PostgreSQL does; null for a division by zero. */
export function calculateExact(left: ExactDecimal, operator: Operator, right: ExactDecimal, scale: number): bigint | null {
  if (operator === '*') return roundedTo({ unscaled: left.unscaled * right.unscaled, scale: left.scale + right.scale }, scale)
  if (operator === '/') return right.unscaled === 0n ? null : divided(left.unscaled * 10n ** BigInt(scale + right.scale), right.unscaled * 10n ** BigInt(left.scale))
  const common = Math.max(left.scale, right.scale)
  const other = scaledTo(right, common)
  return roundedTo({ unscaled: scaledTo(left, common) + (operator === '+' ? other : -other), scale: common }, scale)
}

/** The digits of an unscaled number, without zeros that say nothing. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const fraction = scale === 0 ? '' : digits.slice(-scale).replace(/0+$/, '')
  const whole = scale === 0 ? digits : digits.slice(0, -scale)
  return `${unscaled < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

function scaledTo({ unscaled, scale }: ExactDecimal, wanted: number): bigint {
  return unscaled * 10n ** BigInt(wanted - scale)
}

function roundedTo(value: ExactDecimal, scale: number): bigint {
  return value.scale <= scale ? scaledTo(value, scale) : divided(value.unscaled, 10n ** BigInt(value.scale - scale))
}

function divided(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  const rest = dividend % divisor
  const twice = 2n * (rest < 0n ? -rest : rest)
  if (twice < (divisor < 0n ? -divisor : divisor)) return quotient
  return dividend < 0n === divisor < 0n ? quotient + 1n : quotient - 1n
}
