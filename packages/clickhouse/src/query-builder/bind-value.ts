import { encodeValue, UnfitValue } from '../parameters/encode-value.ts'
import { inferType } from '../parameters/infer-type.ts'
import { isTyped } from '../parameters/typed-value.ts'
import { kindOf } from '../row-binary/cell-refusal.ts'
import { bareType, type ColumnType, parseColumnType } from '../row-binary/column-type.ts'
import { builderError } from './builder-error.ts'

/** A value with the type of the place that it is bound to. */
export interface BoundPlace {
  readonly type: string
  readonly value: unknown
}

const INTEGER = /^U?Int\d+$/
/** A time as results have it where a `Date` would lose digits. */
const ISO_TIME = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z$/
const MOST_DIGITS = 76

/**
 * The type under which a value is compared with a column: the column's own where it holds the value, so that an index can be used, else what the value is of
 * itself. Times are always bound in UTC.
 * @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` for a value that can't be compared with such a column
 */
export function placeFor(value: unknown, columnType: string, name: string): BoundPlace {
  if (isTyped(value)) return checked({ type: value.type, value: value.value }, name)
  if (value === null || value === undefined) throw builderError([name], `"${name}" is compared with ${kindOf(value)}; use isNull or isNotNull`)
  if (Array.isArray(value)) return listPlace(value, columnType, name)
  return checked(singlePlace(value, bareType(parseColumnType(columnType)), name), name)
}

function listPlace(values: readonly unknown[], columnType: string, name: string): BoundPlace {
  const column = bareType(parseColumnType(columnType))
  if (TIMES.has(column.name) && !values.some(isTyped)) return timesPlace(values, column, name)
  const places = values.map((value) => placeFor(value, columnType, name))
  const types = new Set(places.map(({ type }) => type))
  const shared = types.size === 0 ? 'String' : (sharedDecimal([...types]) ?? (types.size === 1 ? [...types][0] : undefined))
  if (shared !== undefined) return { type: `Array(${shared})`, value: places.map(({ value }) => value) }
  const inferred = inferType(values)
  if ('problem' in inferred) throw builderError([name], `the values for "${name}" ${inferred.problem}`)
  return { type: inferred.type, value: values }
}

const TIMES = new Set(['Date', 'Date32', 'DateTime', 'DateTime64'])
const MAX_SECONDS = 0xffff_ffff

/**
 * Times among which one is looked for: the server takes a list of the column's own type alone. What such a column can't hold, because it is finer or out of its
 * years, is equal to nothing that is there, and is left out.
 */
function timesPlace(values: readonly unknown[], column: ColumnType, name: string): BoundPlace {
  const isDay = column.name.startsWith('Date') && !column.name.startsWith('DateTime')
  const digits = column.name === 'DateTime64' ? Number(column.args[0] ?? 3) : 0
  const texts = values.flatMap((value) => {
    if (isDay && typeof value === 'string') return [String(checked({ type: column.name, value }, name).value)]
    const { day, clock, fraction } = utcParts(value, name)
    if (isDay) return clock === '00:00:00' && !/[1-9]/.test(fraction) ? [day] : []
    const seconds = Date.parse(`${day}T${clock}Z`) / 1000
    const isHeld = !/[1-9]/.test(fraction.slice(digits)) && (column.name === 'DateTime64' || (seconds >= 0 && seconds <= MAX_SECONDS))
    return isHeld ? [`${day} ${clock}${digits === 0 ? '' : `.${fraction.slice(0, digits).padEnd(digits, '0')}`}`] : []
  })
  const type = isDay ? column.name : column.name === 'DateTime' ? "DateTime('UTC')" : `DateTime64(${digits}, 'UTC')`
  return { type: `Array(${type})`, value: texts }
}

/** The decimal that holds them all: with as many digits behind the point as the one that has most. */
function sharedDecimal(types: readonly string[]): string | undefined {
  const scales = types.map((type) => /^Decimal\(\d+, (\d+)\)$/.exec(type)?.[1])
  return scales.includes(undefined) ? undefined : `Decimal(${MOST_DIGITS}, ${Math.max(...scales.map(Number))})`
}

/** A value of no column's: what it is of itself. */
export function placeOf(value: unknown, name = 'value'): BoundPlace {
  if (isTyped(value)) return checked({ type: value.type, value: value.value }, name)
  const inferred = inferType(value)
  if ('problem' in inferred) throw builderError([name], `the value ${inferred.problem}`)
  return checked({ type: inferred.type, value }, name)
}

function singlePlace(value: unknown, column: ColumnType, name: string): BoundPlace {
  if (INTEGER.test(column.name)) return integerPlace(value, column, name)
  if (value instanceof Date) return timePlace(value, column, name)
  switch (column.name) {
    case 'Decimal':
      return { type: `Decimal(${MOST_DIGITS}, ${scaleFor(value, Number(column.args[1] ?? 0))})`, value }
    case 'DateTime':
    case 'DateTime64':
      return { type: `DateTime64(${column.args.length > 0 && column.name === 'DateTime64' ? column.args[0] : 0}, 'UTC')`, value: utcText(value, name) }
    case 'Enum8':
    case 'Enum16':
    case 'FixedString':
      return { type: 'String', value }
    case 'Float32':
    case 'BFloat16':
      return { type: 'Float64', value }
    default:
      return SIMPLE.has(column.name) ? { type: column.name, value } : placeOf(value, name)
  }
}

const SIMPLE = new Set(['String', 'Float64', 'Bool', 'UUID', 'IPv4', 'IPv6', 'Date', 'Date32'])

function integerPlace(value: unknown, column: ColumnType, name: string): BoundPlace {
  if (!(encodeValue(column, value) instanceof UnfitValue)) return { type: column.name, value }
  // An integer beyond the column's, or a fraction: it is compared as what it is.
  if (typeof value === 'number' || typeof value === 'bigint') return placeOf(value, name)
  return { type: column.name, value }
}

function timePlace(value: Date, column: ColumnType, name: string): BoundPlace {
  if (column.name === 'Date' || column.name === 'Date32') return { type: "DateTime64(3, 'UTC')", value }
  if (column.name === 'DateTime' || column.name === 'DateTime64') return { type: "DateTime64(3, 'UTC')", value }
  throw builderError([name], `"${name}" is a ${column.name}, and can't be compared with a Date`)
}

/** A time in UTC, as ClickHouse reads it. */
function utcText(value: unknown, name: string): string {
  const { day, clock, fraction } = utcParts(value, name)
  return `${day} ${clock}${fraction === '' ? '' : `.${fraction}`}`
}

function utcParts(value: unknown, name: string): { day: string; clock: string; fraction: string } {
  const text = value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : value
  const parts = typeof text === 'string' ? ISO_TIME.exec(text) : null
  if (parts === null) throw builderError([name], `"${name}" is a time and must be compared with a Date, or ISO text in UTC like 2001-01-31T12:00:00Z, not with a ${kindOf(value)}`)
  const [, day = '', clock = '', fraction = ''] = parts
  return { day, clock, fraction }
}

/** As many digits behind the point as the value or the column has, whichever has more. */
function scaleFor(value: unknown, scale: number): number {
  const digits = /\.(\d+)$/.exec(String(value))?.[1]?.length ?? 0
  return Math.min(MOST_DIGITS, Math.max(scale, digits))
}

function checked(place: BoundPlace, name: string): BoundPlace {
  const text = encodeValue(parseColumnType(place.type), place.value)
  if (text instanceof UnfitValue) throw builderError([name], `the value for "${name}" ${text.reason}`)
  return place
}
