import { quoteIdentifier } from '../quote-identifier.ts'
import type { BoundValues } from './row-filter.ts'
import type { TableDescription } from './table-description.ts'

/** A time range, half-open; an end that is absent is open. */
export interface RangeBounds {
  readonly start?: Date | undefined
  readonly end?: Date | undefined
}

/** Whatever type the time column has, as timestamptz; a time without zone counts as UTC. */
export function timeAsTimestamptz(table: TableDescription): string {
  const time = quoteIdentifier(table.timeColumn.name)
  if (table.timeColumn.baseType === 'timestamptz') return time
  return table.timeColumn.kind === 'date' ? `(${time}::timestamp at time zone 'UTC')` : `(${time} at time zone 'UTC')`
}

/** A moment in the type that the time column is compared in, so that its index and its partitions are used. */
export function momentFor(table: TableDescription, place: string): string {
  return table.timeColumn.baseType === 'timestamptz' ? `${place}::timestamptz` : `(${place}::timestamptz at time zone 'UTC')`
}

/** The conditions of a range, to be joined by `and`. */
export function rangeConditions(table: TableDescription, range: RangeBounds, values: BoundValues): string[] {
  const time = quoteIdentifier(table.timeColumn.name)
  return [
    ...(range.start ? [`${time} >= ${momentFor(table, values.add(range.start))}`] : []),
    ...(range.end ? [`${time} < ${momentFor(table, values.add(range.end))}`] : []),
  ]
}

/** `where …`, or nothing. */
export function whereAll(conditions: readonly string[]): string {
  return conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
}
