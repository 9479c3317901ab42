/** How far along a line. */
export interface LinePosition {
  readonly elapsedMs: number
  readonly totalMs: number
}

/**
 * The value between two others. Whole numbers and decimals are computed exactly and rounded (half away from zero) to the digits that
 * the neighbours have; floats as floats. What has no between (texts, truth values) is null.
 */
export function interpolate(left: unknown, right: unknown, position: LinePosition): number | bigint | string | null {
  if (typeof left === 'number' && typeof right === 'number') return left + (right - left) * (position.elapsedMs / position.totalMs)
  if (typeof left === 'bigint' && typeof right === 'bigint') return between(left, right, position)
  if (!isDecimal(left) || !isDecimal(right)) return null
  const scale = Math.max(scaleOf(left), scaleOf(right))
  return unscale(between(scaled(left, scale), scaled(right, scale), position), scale)
}

function between(left: bigint, right: bigint, { elapsedMs, totalMs }: LinePosition): bigint {
  return divideRounded(left * BigInt(totalMs) + (right - left) * BigInt(elapsedMs), BigInt(totalMs))
}

function divideRounded(numerator: bigint, denominator: bigint): bigint {
  const sign = numerator < 0n ? -1n : 1n
  return sign * ((sign * numerator * 2n + denominator) / (denominator * 2n))
}

function isDecimal(value: unknown): value is string {
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)
}

function scaleOf(text: string): number {
  return text.split('.')[1]?.length ?? 0
}

function scaled(text: string, scale: number): bigint {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(scale, '0'))
}

function unscale(value: bigint, scale: number): string {
  if (scale === 0) return value.toString()
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
