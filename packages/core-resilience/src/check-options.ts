import { ValidationError } from '@smart-whale/interfaces'
import { optionError } from './errors.ts'

/** The longest delay that timers keep; anything above fires at once. */
const LONGEST_TIMER_MS = 2_147_483_647

/** The value of an option in milliseconds that a timer can wait. */
export function durationOption(option: string, value: number, minimum = 0): number {
  if (typeof value === 'number' && value >= minimum && value <= LONGEST_TIMER_MS) return value
  throw optionError(option, value, `milliseconds from ${minimum} to ${LONGEST_TIMER_MS}`)
}

/** An argument of a call in milliseconds that a timer can wait. */
export function durationArgument(name: string, value: number, minimum: number): number {
  if (typeof value === 'number' && value >= minimum && value <= LONGEST_TIMER_MS) return value
  const found = typeof value === 'number' ? String(value) : typeof value
  const wanted = `must be a number of milliseconds from ${minimum} to ${LONGEST_TIMER_MS}`
  throw new ValidationError(`${name} ${wanted}, got ${found}`, { issues: [{ path: [name], message: `${wanted}, got ${found}` }] })
}

/** The value of an option that counts something. */
export function countOption(option: string, value: number, minimum = 1): number {
  if (typeof value === 'number' && value >= minimum && (Number.isInteger(value) || value === Infinity)) return value
  throw optionError(option, value, `a whole number ≥ ${minimum}`)
}

/** The value of an option that is a share of something. */
export function shareOption(option: string, value: number): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw optionError(option, value, 'a share from 0 to 1')
}

/** The value of an option that is a number of things a second, not necessarily whole. */
export function rateOption(option: string, value: number): number {
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value
  throw optionError(option, value, 'a number ≥ 0')
}
