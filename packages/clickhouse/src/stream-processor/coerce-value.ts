import type { ColumnType } from '../row-binary/column-type.ts'

/** Makes of a value what the column's encoder takes, where the meaning is plain; hands everything else on, to be refused there. */
export type Coercion = (value: unknown) => unknown

const INTEGERS = /^U?Int(?:8|16|32|64|128|256)$/
/** A day and a time, the zone left out or written: `2001-01-31 12:00:00`, `2001-01-31T12:00`. */
const TIME_WITHOUT_ZONE = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?$/
const ISO_DAY = /^\d{4}-\d{2}-\d{2}$/
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
/** The spellings that ClickHouse itself takes for floats that are no digits. */
const FLOAT_WORDS = new Map([
  ['nan', NaN],
  ['inf', Infinity],
  ['+inf', Infinity],
  ['-inf', -Infinity],
])

/**
 * The coercion of a column's type: numbers from digits, booleans from 0, 1 and words, times from milliseconds since the epoch
 * and from texts without a zone (taken for UTC), days from times, text from numbers and booleans. Nothing is rounded or cut
 * but the time of day of what becomes a day.
 */
export function coercionOf(type: ColumnType): Coercion {
  const { name, inner } = type
  if (INTEGERS.test(name)) return toInteger
  switch (name) {
    case 'Float32':
    case 'Float64':
      return toFloat
    case 'Bool':
      return toBoolean
    case 'String':
    case 'FixedString':
      return toText
    case 'Date':
    case 'Date32':
      return toDay
    case 'DateTime':
    case 'DateTime64':
      return toTime
    case 'Nullable':
    case 'LowCardinality':
    case 'SimpleAggregateFunction':
      return inner[0] === undefined ? same : coercionOf(inner[0])
    case 'Array':
      return inner[0] === undefined ? same : ofElements(coercionOf(inner[0]))
    case 'Map':
      return inner[1] === undefined ? same : ofMembers(coercionOf(inner[1]))
    case 'Tuple':
      return ofTuple(inner.map(coercionOf), type.names)
    default:
      return same
  }
}

const same: Coercion = (value) => value

/** Digits the encoder takes itself, as exact as they are; what JSON writers make of whole numbers is cleared of its fraction. */
const toInteger: Coercion = (value) => {
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'string' ? value.trim().replace(/^\+/, '').replace(/\.0+$/, '') : value
}

const toFloat: Coercion = (value) => {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'string') return value
  const text = value.trim()
  return FLOAT.test(text) ? Number(text) : (FLOAT_WORDS.get(text.toLowerCase()) ?? value)
}

const toBoolean: Coercion = (value) => {
  if (value === 1 || value === 1n || value === '1' || value === 'true') return true
  return value === 0 || value === 0n || value === '0' || value === 'false' ? false : value
}

const toText: Coercion = (value) =>
  typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : value

const toTime: Coercion = (value) => {
  if (typeof value === 'number' || typeof value === 'bigint') return new Date(Number(value))
  if (typeof value !== 'string') return value
  if (ISO_DAY.test(value)) return `${value}T00:00:00Z`
  return TIME_WITHOUT_ZONE.test(value) ? `${value}Z` : value
}

const toDay: Coercion = (value) => {
  const time = typeof value === 'string' && ISO_DAY.test(value) ? value : toTime(value)
  if (time instanceof Date) return Number.isNaN(time.getTime()) ? time : time.toISOString().slice(0, 10)
  if (typeof time !== 'string' || ISO_DAY.test(time)) return time
  const at = Date.parse(time)
  return Number.isNaN(at) ? value : new Date(at).toISOString().slice(0, 10)
}

function ofElements(coerce: Coercion): Coercion {
  return (value) => (Array.isArray(value) ? value.map(coerce) : value)
}

function ofMembers(coerce: Coercion): Coercion {
  return (value) => {
    if (value instanceof Map) return new Map([...(value as Map<unknown, unknown>)].map(([key, member]) => [key, coerce(member)]))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return new Map(Object.entries(value).map(([key, member]) => [key, coerce(member)]))
  }
}

function ofTuple(coercions: readonly Coercion[], names: readonly string[]): Coercion {
  return (value) => {
    if (Array.isArray(value)) return value.map((element, index) => (coercions[index] ?? same)(element))
    if (typeof value !== 'object' || value === null || names.length === 0) return value
    return names.map((name, index) => (coercions[index] ?? same)((value as Record<string, unknown>)[name]))
  }
}
