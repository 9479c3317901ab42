/** Why a value doesn't fit its column; the encoder adds row and column. */
export class CellRefusal {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** The kind of a value, for messages: never the value itself. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'array'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid Date' : 'Date'
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value
}
