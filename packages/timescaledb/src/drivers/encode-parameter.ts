import { TimescaleValidationError } from '../errors.ts'

const JSON_MARK = Symbol.for('smart-whale.timescaledb.json')

/** A value to be bound as JSON, whatever it is. */
export interface JsonParameter {
  readonly [JSON_MARK]: unknown
}

/**
 * Binds a value as JSON. Needed for arrays, strings, numbers and booleans only: an array alone is bound as an SQL array,
 * a string as itself. Plain objects are bound as JSON anyway.
 *
 * @example
 * await storage.execute('insert into events (tags) values ($1)', [asJson(['a', 'b'])])
 */
export function asJson(value: unknown): JsonParameter {
  return { [JSON_MARK]: value }
}

/** Text that is JSON already. */
class JsonText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/**
 * Binds text that is JSON already, as it stands: its digits stay as they were written. Whether it is JSON is for the server to check.
 *
 * @example
 * await storage.bulkInsert('events', [{ payload: asJsonText('{"amount":12345678901234567890}') }])
 */
export function asJsonText(text: string): JsonParameter {
  return { [JSON_MARK]: new JsonText(text) }
}

/** Whether {@link asJson} or {@link asJsonText} made it. */
export function isJsonParameter(value: unknown): value is JsonParameter {
  return typeof value === 'object' && value !== null && JSON_MARK in value
}

/** What {@link asJson} was given. */
export function unwrapJson(parameter: JsonParameter): unknown {
  return parameter[JSON_MARK]
}

/**
 * Parameters as the text that PostgreSQL reads: the same for every driver, so that they bind the same.
 *
 * @throws TimescaleValidationError for what has no such text (undefined, functions, invalid dates, broken strings); names the parameter
 */
export function encodeParameters(params: readonly unknown[]): (string | null)[] {
  return params.map((value, index) => {
    const encoded = encodeParameter(value)
    if (typeof encoded !== 'object' || encoded === null) return encoded
    const field = `$${index + 1}`
    throw new TimescaleValidationError(`parameter ${field} ${encoded.problem}`, { issues: [{ path: ['params', index], message: encoded.problem }] })
  })
}

/** Why a value can't be bound. */
export interface Refusal {
  readonly problem: string
}

/** One value as the text that PostgreSQL reads. */
export function encodeParameter(value: unknown): string | null | Refusal {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value : { problem: 'is a string with half of a surrogate pair: it has no UTF-8' }
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint':
      return value.toString()
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      return value === null ? null : encodeObject(value)
    default:
      return { problem: value === undefined ? 'is undefined; write null for no value' : `is a ${typeof value}, which no column can hold` }
  }
}

function encodeObject(value: object): string | Refusal {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? { problem: 'is an invalid Date' } : formatTime(value)
  if (isJsonParameter(value)) return toJson(unwrapJson(value))
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return bytesText(value)
  if (Array.isArray(value)) return encodeArray(value)
  if (ArrayBuffer.isView(value) && Symbol.iterator in value) return encodeArray([...(value as unknown as Iterable<unknown>)])
  return toJson(value)
}

function bytesText(value: Uint8Array | ArrayBuffer): string {
  const bytes = value instanceof ArrayBuffer ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return `\\x${bytes.toString('hex')}`
}

function encodeArray(values: readonly unknown[]): string | Refusal {
  const parts: string[] = []
  for (const [index, value] of values.entries()) {
    const encoded = value === undefined ? null : encodeParameter(value)
    if (encoded !== null && typeof encoded === 'object') return { problem: `holds an item (number ${index}) that ${encoded.problem}` }
    if (encoded === null) parts.push('NULL')
    else parts.push(Array.isArray(value) ? encoded : `"${encoded.replace(/["\\]/g, '\\$&')}"`)
  }
  return `{${parts.join(',')}}`
}

type RawJson = { rawJSON(text: string): unknown }

/** JSON with 64-bit integers exact. */
export function toJson(value: unknown): string | Refusal {
  if (value instanceof JsonText) return value.text
  if (value instanceof Map || value instanceof Set) return { problem: `is a ${value.constructor.name}; JSON has none: make it an object or an array first` }
  try {
    const text = JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? (JSON as unknown as RawJson).rawJSON(item.toString()) : item))
    return text ?? { problem: 'has no JSON' }
  } catch (error) {
    return { problem: `can't be written as JSON: ${error instanceof Error ? error.message.split('\n')[0] : 'unknown reason'}` }
  }
}

/** A moment as PostgreSQL reads it, in any year. */
export function formatTime(time: Date): string {
  const year = time.getUTCFullYear()
  if (year >= 1 && year <= 9999) return time.toISOString()
  const rest = time.toISOString().replace(/^[+-]?\d+/, '')
  return year > 9999 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`
}
