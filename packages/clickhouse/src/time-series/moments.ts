import { ValidationError } from '@smart-whale/interfaces'

/** A moment in microseconds since 1970, which is as fine as PostgreSQL counts. */
export type Microseconds = bigint

const TEXT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:?\d\d)?)?$/

/** A `Date`, or a text like `2001-01-31T12:00:00.123456Z`; without a zone it is UTC. @throws ValidationError */
export function microsecondsOf(moment: Date | string, field: string): Microseconds {
  if (moment instanceof Date && !Number.isNaN(moment.getTime())) return BigInt(moment.getTime()) * 1000n
  const parts = typeof moment === 'string' ? TEXT.exec(moment) : null
  const [, day, time = '00:00:00', fraction = '', zone = 'Z'] = parts ?? []
  const whole = Date.parse(`${day}T${time}${zone}`)
  if (parts !== null && !Number.isNaN(whole)) return BigInt(whole) * 1000n + BigInt(fraction.padEnd(6, '0'))
  const message = `must be a Date or a text like 2001-01-31T12:00:00.123456Z, got ${String(moment).slice(0, 50)}`
  throw new ValidationError(`${field} ${message}`, { issues: [{ path: [field], message }] })
}

/** `2001-01-31 12:00:00.123456`, in UTC: what both stores read as the same moment. */
export function textOfMoment(moment: Microseconds): string {
  const fraction = ((moment % 1_000_000n) + 1_000_000n) % 1_000_000n
  const seconds = new Date(Number((moment - fraction) / 1000n)).toISOString()
  return `${seconds.slice(0, 10)} ${seconds.slice(11, 19)}.${String(fraction).padStart(6, '0')}`
}
