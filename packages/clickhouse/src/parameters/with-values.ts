import type { QueryParams } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import { bindParameters } from './bind-parameters.ts'
import { findPlaceholders } from './find-placeholders.ts'
import { bareType, type ColumnType, parseColumnType } from '../row-binary/column-type.ts'

const CONTAINERS: ReadonlySet<string> = new Set(['Array', 'Tuple'])

/** A query with its values in its text. */
export interface QueryWithValues {
  readonly text: string
  /** Whether no place is left: a map has no text that is read as such. */
  readonly isWhole: boolean
}

/**
 * Writes values into a query's text, each as its type, as the server's own log has it.
 * @throws ValidationError `ERR_CLICKHOUSE_PARAMETER` naming the parameter that is missing or doesn't fit
 */
export function withValues(query: string, params: QueryParams): QueryWithValues {
  const bound = bindParameters(query, params)
  let text = ''
  let copied = 0
  let isWhole = true
  for (const place of findPlaceholders(bound.query)) {
    if (place.kind !== 'server') continue
    if (hasMap(parseColumnType(place.type))) {
      isWhole = false
      continue
    }
    text += bound.query.slice(copied, place.start) + literal(place.type, bound.parameters[`param_${place.name}`] ?? '')
    copied = place.end
  }
  return { text: text + bound.query.slice(copied), isWhole }
}

/** A value that travels is escaped as tab-separated text is, which is how the text of a query is escaped, too; what is inside of an array is escaped once more. */
function literal(type: string, escaped: string): string {
  const parsed = bareType(parseColumnType(type))
  if (parsed.name === 'Identifier') return quoteName(escaped)
  if (escaped === '\\N') return `_CAST(NULL, ${quoted(type)})`
  return `_CAST(${CONTAINERS.has(parsed.name) ? quoted(escaped) : `'${escaped}'`}, ${quoted(type)})`
}

const hasMap = ({ name, inner }: ColumnType): boolean => name === 'Map' || inner.some(hasMap)

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
