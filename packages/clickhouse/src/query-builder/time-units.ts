import { builderError } from './builder-error.ts'
import type { NullOf } from './query-types.ts'
import type { Column } from './query-schema.ts'

/** Units of a calendar or a clock. */
export type TimeUnit = 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year'

/** Units whose starts have no clock: the server gives them as a date. */
type DateUnit = 'week' | 'month' | 'quarter' | 'year'

/** What the start of a unit is: of a time that may be null, null as well. */
export type StartOf<Unit extends TimeUnit, C extends Column> = Unit extends DateUnit ? Column<'Date', string | NullOf<C['value']>> : Column<'DateTime', Date | NullOf<C['value']>>

const UNITS = new Map<string, string>([['second', 'Second'], ['minute', 'Minute'], ['hour', 'Hour'], ['day', 'Day'], ['week', 'Week'], ['month', 'Month'], ['quarter', 'Quarter'], ['year', 'Year']])
const DATE_UNITS: ReadonlySet<string> = new Set<DateUnit>(['week', 'month', 'quarter', 'year'])

/** A unit as ClickHouse's functions have it in their names. @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` when there is no such unit */
export function unitWord(unit: string): string {
  const word = UNITS.get(unit)
  if (word === undefined) throw builderError(['unit'], `there is no unit ${JSON.stringify(unit)}; there are ${[...UNITS.keys()].join(', ')}`)
  return word
}

/** ClickHouse's type of a unit's start. */
export function startType(unit: TimeUnit, type: string): string {
  if (type === '') return ''
  const start = DATE_UNITS.has(unit) ? 'Date' : 'DateTime'
  return type.includes('Nullable(') ? `Nullable(${start})` : start
}
