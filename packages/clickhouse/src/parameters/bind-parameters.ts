import { ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { kindOf } from '../row-binary/cell-refusal.ts'
import { parseColumnType } from '../row-binary/column-type.ts'
import { encodeValue, UnfitValue } from './encode-value.ts'
import { sqlTokens } from '../sql-tokens.ts'
import { findPlaceholders, type Placeholder } from './find-placeholders.ts'
import { inferType } from './infer-type.ts'
import { isTyped } from './typed-value.ts'

/** A query whose values travel apart from it. */
export interface BoundQuery {
  /** The text with every place in ClickHouse's own form, `{name:Type}`. */
  readonly query: string
  /** The request's search parameters: `param_<name>` to the value, as ClickHouse reads it. */
  readonly parameters: Readonly<Record<string, string>>
}

/**
 * Brings values to their places in a query: `:name` by name, `$1` by position (or under the key `$1`), `{name:Type}` as the type says.
 * Values never become part of the text. Values that the query has no place for are left out. A `CREATE VIEW` keeps each `{name:Type}` that has no value: it
 * is a parameter of the view.
 *
 * @throws ValidationError `ERR_CLICKHOUSE_PARAMETER` naming the parameter that is missing or doesn't fit
 */
export function bindParameters(query: string, values: Readonly<Record<string, unknown>> | readonly unknown[] = {}): BoundQuery {
  const places = findPlaceholders(query)
  if (places.length === 0) return { query, parameters: {} }

  const bound = new Map<string, BoundValue>()
  let text = ''
  let copied = 0
  const makesView = places.some(({ kind }) => kind === 'server') && isViewDefinition(query)
  for (const place of places) {
    if (makesView && place.kind === 'server' && !Object.hasOwn(values, place.name)) continue
    const name = place.kind === 'positional' ? `positional_${place.index}` : place.name
    const key = place.kind === 'positional' ? `$${place.index}` : place.name
    const known = bound.get(name)
    const value = known ?? bindValue(key, valueOf(place, values), place.kind === 'server' ? place.type : undefined)
    if (!known) bound.set(name, value)
    const type = place.kind === 'server' && !value.withZone ? place.type : value.type
    text += `${query.slice(copied, place.start)}{${name}:${type}}`
    copied = place.end
  }
  const parameters: Record<string, string> = {}
  for (const [name, value] of bound) parameters[`param_${name}`] = value.text
  return { query: text + query.slice(copied), parameters }
}

function isViewDefinition(query: string): boolean {
  const words: string[] = []
  for (const { value } of sqlTokens(query)) if (words.push(value) === 4) break
  return /^CREATE (?:OR REPLACE )?VIEW\b/.test(words.join(' '))
}

interface BoundValue {
  readonly type: string
  readonly text: string
  /** The type was given the time zone in which the text is written. */
  readonly withZone: boolean
}

function valueOf(place: Placeholder, values: Readonly<Record<string, unknown>> | readonly unknown[]): unknown {
  const name = place.kind === 'positional' ? `$${place.index}` : place.name
  const key = place.kind === 'positional' && Array.isArray(values) ? String(place.index - 1) : name
  const isList = Array.isArray(values)
  if (Object.hasOwn(values, key) && (!isList || place.kind === 'positional')) return (values as Readonly<Record<string, unknown>>)[key]
  const shown = place.kind === 'server' ? `{${place.name}:${place.type}}` : place.kind === 'named' ? `:${place.name}` : name
  throw parameterError(name, `the query asks for ${shown}, and no value was given for it`)
}

function bindValue(name: string, value: unknown, declared: string | undefined): BoundValue {
  const type = declared ?? typeOf(name, value)
  // A Date is a point in time; a type without a time zone would read it in the server's.
  const plain = isTyped(value) ? value.value : value
  const withZone = plain instanceof Date && /^(?:Nullable\()?(?:DateTime|DateTime64\(\d\))\)?$/.test(type)
  const zoned = withZone ? type.replace(/DateTime64\((\d)\)|DateTime\b/, (_match, digits?: string) => (digits ? `DateTime64(${digits}, 'UTC')` : "DateTime('UTC')")) : type
  const text = encodeValue(parseColumnType(zoned), plain)
  if (text instanceof UnfitValue) throw parameterError(name, `parameter "${name}" ${text.reason}`)
  return { type: zoned, text, withZone }
}

function typeOf(name: string, value: unknown): string {
  if (isTyped(value)) return checkedType(name, value.type)
  if (value === undefined) throw parameterError(name, `parameter "${name}" is undefined; give null for no value`)
  const inferred = inferType(value)
  if ('type' in inferred) return inferred.type
  throw parameterError(name, `parameter "${name}" ${inferred.problem}`, kindOf(value))
}

/** A type that would end its own braces is none, and might be somebody's SQL. */
function checkedType(name: string, type: string): string {
  const [place, ...more] = findPlaceholders(`{type:${type}}`)
  if (place?.kind === 'server' && place.type === type.trim() && more.length === 0) return type
  throw parameterError(name, `parameter "${name}" was given a type that is none`)
}

function parameterError(name: string, message: string, found?: string): ValidationError<ClickHouseErrorCode> {
  return new ValidationError(message, {
    code: 'ERR_CLICKHOUSE_PARAMETER',
    issues: [{ path: ['params', name], message }],
    context: { parameter: name, ...(found === undefined ? {} : { found }) },
  })
}
