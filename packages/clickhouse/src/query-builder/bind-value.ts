import { encodeValue, UnfitValue } from '../parameters/encode-value.ts'
import { inferType } from '../parameters/infer-type.ts'
import { isTyped } from '../parameters/typed-value.ts'
import { kindOf } from '../row-binary/cell-refusal.ts'
import { type ColumnType, parseColumnType } from '../row-binary/column-type.ts'
import { builderError } from './builder-error.ts'

/** A value with the type of the place that it is bound to. */
export interface BoundPlace {
  readonly type: string
  readonly value: unknown
}

const INTEGER = /^U?Int\d+$/
/** A time as results have it where a `Date` would lose digits. */
const ISO_TIME = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)Z$/
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
  const places = values.map((value) => placeFor(value, columnType, name))
  const types = new Set(places.map(({ type }) => type))
  const shared = types.size === 1 ? [...types][0] : types.size === 0 ? 'String' : undefined
  if (shared !== undefined) return { type: `Array(${shared})`, value: places.map(({ value }) => value) }
  const inferred = inferType(values)
  if ('problem' in inferred) throw builderError([name], `the values for "${name}" ${inferred.problem}`)
  return { type: inferred.type, value: values }
}

/** A value of no column's: what it is of itself. */
export function placeOf(value: unknown, name = 'value'): BoundPlace {
  if (isTyped(value)) return checked({ type: value.type, value: value.value }, name)
  const inferred = inferType(value)
  if ('problem' in inferred) throw builderError([name], `the value ${inferred.problem}`)
  return checked({ type: inferred.type, value }, name)
}

/** The type without what only says how it is stored. */
export function bareType(type: ColumnType): ColumnType {
  const [inner] = type.inner
  return (type.name === 'Nullable' || type.name === 'LowCardinality' || type.name === 'SimpleAggregateFunction') && inner !== undefined ? bareType(inner) : type
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

function utcText(value: unknown, name: string): string {
  const parts = typeof value === 'string' ? ISO_TIME.exec(value) : null
  if (parts === null) throw builderError([name], `"${name}" is a time and must be compared with a Date, or ISO text in UTC like 2001-01-31T12:00:00Z, not with a ${kindOf(value)}`)
  return `${parts[1]} ${parts[2]}`
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
