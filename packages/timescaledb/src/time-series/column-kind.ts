import { type InputPath, refuseInput } from '../refuse-input.ts'
import { kindOf, parseIsoTime } from './parse-time.ts'

/** What one can do with a column: add it up, order it, compare it. */
export type ColumnKind = 'integer' | 'decimal' | 'float' | 'boolean' | 'text' | 'timestamp' | 'date' | 'uuid' | 'enum' | 'json' | 'bytes' | 'other'

/** A value that a column can be compared with. */
export type ColumnValue = string | number | bigint | boolean | Date | null

/** One column of a table. */
export interface ColumnDescription {
  readonly name: string
  /** As PostgreSQL writes it: `numeric(10,2)`, `timestamp with time zone`. */
  readonly type: string
  /** The type without its modifiers, as SQL to cast to. */
  readonly castType: string
  /** `int8`, `timestamptz`, …; of a domain, that of the type below it. */
  readonly baseType: string
  readonly kind: ColumnKind
  readonly notNull: boolean
  /** Computed by the server: can't be written. */
  readonly generated: boolean
  readonly hasDefault: boolean
}

const KINDS: Readonly<Record<string, ColumnKind>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  numeric: 'decimal',
  float4: 'float',
  float8: 'float',
  bool: 'boolean',
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  name: 'text',
  timestamptz: 'timestamp',
  timestamp: 'timestamp',
  date: 'date',
  uuid: 'uuid',
  json: 'json',
  jsonb: 'json',
  bytea: 'bytes',
}

const INTEGER_BITS: Readonly<Record<string, bigint>> = { int2: 15n, int4: 31n, int8: 63n }
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i
const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i
const MAX_NUMBER_TEXT = 400

/** The kind of a type by its name in `pg_type`. */
export function kindOfType(baseType: string, isEnum: boolean): ColumnKind {
  return isEnum ? 'enum' : (KINDS[baseType] ?? 'other')
}

/** The column can be added up. */
export function isNumeric(kind: ColumnKind): boolean {
  return kind === 'integer' || kind === 'decimal' || kind === 'float'
}

/**
 * A value as it is bound for comparison with a column: as text, which the server reads in the column's own type.
 *
 * @throws TimescaleValidationError naming the column when no value of the column could look like this
 */
export function bindValue(column: ColumnDescription, value: Exclude<ColumnValue, null>, path: InputPath): string {
  const bound = READERS[column.kind](value, column)
  if (bound !== undefined) return bound
  return refuseInput(path, `must be ${EXPECTED[column.kind]} (${column.type}), found ${kindOf(value)}`)
}

type Reader = (value: unknown, column: ColumnDescription) => string | undefined

const READERS: Readonly<Record<ColumnKind, Reader>> = {
  integer: readInteger,
  decimal: readNumber,
  float: (value, column) => (typeof value === 'string' && /^(nan|[+-]?infinity)$/i.test(value) ? value : readFloat(value, column)),
  boolean: (value) => (typeof value === 'boolean' ? String(value) : typeof value === 'string' && /^(true|false)$/i.test(value) ? value : undefined),
  text: readText,
  enum: readText,
  timestamp: readTimestamp,
  date: (value) => (typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && parseIsoTime(value) ? value : undefined),
  uuid: (value) => (typeof value === 'string' && UUID.test(value) ? value : undefined),
  json: () => undefined,
  bytes: () => undefined,
  other: () => undefined,
}

const EXPECTED: Readonly<Record<ColumnKind, string>> = {
  integer: 'a whole number that fits',
  decimal: 'a number',
  float: 'a number that fits',
  boolean: 'true or false',
  text: 'a text without zero bytes',
  enum: 'a text without zero bytes',
  timestamp: 'an ISO 8601 time',
  date: 'a date such as 2001-01-31',
  uuid: 'a UUID',
  json: 'nothing: json can not be compared',
  bytes: 'nothing: bytes can not be compared',
  other: 'nothing: this type can not be compared',
}

function readInteger(value: unknown, column: ColumnDescription): string | undefined {
  const text = typeof value === 'string' ? value.trim() : typeof value === 'bigint' || Number.isSafeInteger(value) ? String(value) : ''
  if (!/^[+-]?\d{1,20}$/.test(text)) return undefined
  const number = BigInt(text.replace('+', ''))
  const limit = 1n << (INTEGER_BITS[column.baseType] ?? 63n)
  return number >= -limit && number < limit ? number.toString() : undefined
}

function readNumber(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.trim() : typeof value === 'bigint' || Number.isFinite(value) ? String(value) : ''
  return text.length <= MAX_NUMBER_TEXT && DECIMAL.test(text) ? text : undefined
}

/** Out of its range the server refuses it; too small a number is zero to JavaScript and an error to PostgreSQL. */
function readFloat(value: unknown, column: ColumnDescription): string | undefined {
  const text = readNumber(value)
  if (text === undefined) return undefined
  const number = column.baseType === 'float4' ? Math.fround(Number(text)) : Number(text)
  return Number.isFinite(number) ? String(Number(text)) : undefined
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' && value.isWellFormed() && !value.includes('\0') ? value : undefined
}

function readTimestamp(value: unknown, column: ColumnDescription): string | undefined {
  const time = value instanceof Date ? value : typeof value === 'string' ? parseIsoTime(value, 'cut') : undefined
  if (!time || Number.isNaN(time.getTime()) || time.getUTCFullYear() < 1 || time.getUTCFullYear() > 9999) return undefined
  // The text itself, for it may hold microseconds; a Date never does.
  const text = typeof value === 'string' ? withZone(value) : time.toISOString()
  return column.baseType === 'timestamptz' ? text : time.toISOString().replace('Z', '')
}

function withZone(text: string): string {
  const trimmed = text.trim()
  return /(Z|[+-]\d\d(:?\d\d)?)$/i.test(trimmed.slice(10)) ? trimmed : `${trimmed.length === 10 ? `${trimmed} 00:00` : trimmed}Z`
}
