import type { BinaryWriter } from './binary-writer.ts'

/** A value is refused for its column: why, in words that never quote the value. */
export class Unfit {
  readonly problem: string
  constructor(problem: string) {
    this.problem = problem
  }
}

/** Writes values of one type. `undefined` says that it was written. */
export type Codec = (value: unknown, writer: BinaryWriter) => Unfit | undefined

/** What kind of value was found, for an error: never the value itself. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return value.constructor?.name ? `a ${value.constructor.name}` : 'an object'
  return typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
}

/** The refusal of a value of the wrong kind. */
export function wanted(what: string, value: unknown): Unfit {
  return new Unfit(`must be ${what}, found ${kindOf(value)}`)
}
