import { ValidationError } from '@smart-whale/interfaces'
import type { QueryParams } from '../adapter-options.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { findPlaceholders, type Placeholder } from '../parameters/find-placeholders.ts'
import { bareType, parseColumnType } from '../row-binary/column-type.ts'
import { type CommandCall, textsOf } from './command.ts'

/** Of a command that takes a query. */
export const PARAM_OPTION = { param: { type: 'string', multiple: true } } as const

/** What `--help` says of it. */
export const PARAM_HELP = `  --param NAME=VALUE value of the query's {NAME:Type}; may be given again. \\N is null; an Array, Tuple, Map or JSON is
                     given as JSON`

const WRITTEN_AS_JSON: ReadonlySet<string> = new Set(['Array', 'Tuple', 'Map', 'Nested', 'JSON'])

/**
 * The values that the command line gives for the query's places.
 * @throws ValidationError `ERR_CLICKHOUSE_PARAMETER` naming the place that has no value, or the value that has no place
 */
export function queryParameters(call: CommandCall, query: string): QueryParams {
  const given = givenValues(textsOf(call, 'param') ?? [])
  const places = findPlaceholders(query)
  const types = new Map(places.map((place) => [nameOf(place), typeOf(place)]))
  for (const name of given.keys()) {
    if (!types.has(name)) throw refusal(name, `--param ${name} names no place of the query; ${placesText(types)}`)
  }
  return Object.fromEntries([...types].map(([name, type]) => [name, valueOf(name, type, given.get(name))]))
}

function givenValues(texts: readonly string[]): Map<string, string> {
  const given = new Map<string, string>()
  for (const text of texts) {
    const [, name, value] = /^(\w+)=(.*)$/s.exec(text) ?? []
    if (name === undefined || value === undefined) throw refusal(text, `--param is "${text}"; it is given like this: --param NAME=VALUE`)
    if (given.has(name)) throw refusal(name, `--param ${name} is given twice; leave one of them out`)
    given.set(name, value)
  }
  return given
}

const nameOf = (place: Placeholder): string => (place.kind === 'positional' ? `$${place.index}` : place.name)

/** A text of the command line has no type of its own: the place has to have one. */
function typeOf(place: Placeholder): string {
  if (place.kind === 'server') return place.type
  const [shown, name] = place.kind === 'named' ? [`:${place.name}`, place.name] : [`$${place.index}`, `p${place.index}`]
  throw refusal(nameOf(place), `the query's ${shown} has no type; write {${name}:Type} in its place, for example {${name}:String}, and --param ${name}=VALUE`)
}

function valueOf(name: string, type: string, text: string | undefined): unknown {
  if (text === undefined) throw refusal(name, `the query asks for {${name}:${type}}, and no value was given for it; add --param ${name}=VALUE`)
  if (text === '\\N') return null
  return WRITTEN_AS_JSON.has(bareType(parseColumnType(type)).name) ? fromJson(name, type, text) : text
}

/** Numbers as they are written: a 64-bit integer, or a decimal, has more digits than a JavaScript number. */
function fromJson(name: string, type: string, text: string): unknown {
  try {
    const asWritten = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => (typeof value === 'number' && context?.source !== undefined ? context.source : value)
    const checked: unknown = JSON.parse(text)
    return parseColumnType(type).name === 'JSON' ? checked : JSON.parse(text, asWritten as Parameters<typeof JSON.parse>[1])
  } catch {
    throw refusal(name, `--param ${name} is no JSON; a value of {${name}:${type}} is given like this: --param '${name}=${/^Map|^JSON/.test(type) ? '{"a": 1}' : '[1, 2]'}'`)
  }
}

const placesText = (types: ReadonlyMap<string, string>): string => (types.size === 0 ? 'it has none' : `its places are ${[...types].map(([name, type]) => `{${name}:${type}}`).join(', ')}`)

function refusal(name: string, message: string): ValidationError<ClickHouseErrorCode> {
  return new ValidationError(message, { code: 'ERR_CLICKHOUSE_PARAMETER', issues: [{ path: ['params', name], message }], context: { parameter: name } })
}
