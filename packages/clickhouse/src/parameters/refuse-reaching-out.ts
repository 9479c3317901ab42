import { PermissionDeniedError } from '../operational-errors.ts'
import { RecentTexts } from '../recent-texts.ts'
import { type SqlToken, sqlTokens } from '../sql-tokens.ts'
import type { BoundQuery } from './bind-parameters.ts'
import { HARMLESS_TABLE_FUNCTIONS, HOST_FUNCTIONS, NAMING_FUNCTIONS, REACHING_FUNCTIONS, TABLE_FUNCTIONS } from './server-functions.ts'
import { repeatedInterpolation } from './repeated-interpolation.ts'
import { TablePosition } from './table-position.ts'

/** Texts without a refusal; what their parameters bring is looked at each time. */
const harmless = new RecentTexts<true>(1024 * 1024)

/**
 * Refuses a read-only user's query that names what reaches out of the databases: functions that read files of the server, that show its
 * host, every table function but a few, and settings. An embedded server evaluates `file(…)` for everyone, also inside the structure that is
 * handed to a table function as a text (`values('a String ALIAS file(…)', …)`), however that text comes about: so it is the function
 * that takes a structure which is refused, and not the text.
 *
 * So is a query that a server doesn't outlive: an output that is interpolated twice.
 *
 * Names are compared without regard to case, quotes, escapes and comments. Texts that pass are remembered.
 *
 * @throws PermissionDeniedError `ERR_CLICKHOUSE_PERMISSION_DENIED` naming the function and what to write instead
 */
export function refuseReachingOut({ query, parameters }: BoundQuery): void {
  const isKnown = harmless.get(query) ?? false
  const refusal = (isKnown ? undefined : findRefusal(query)) ?? refusedIdentifier(query, parameters)
  if (refusal !== undefined) throw new PermissionDeniedError(refusal)
  if (!isKnown) harmless.add(query, true)
}

/** A name can be handed over as a value, too. Where it would be called, the text alone is refused. */
function refusedIdentifier(query: string, parameters: BoundQuery['parameters']): string | undefined {
  if (!/identifier/i.test(query)) return undefined
  const named = Object.values(parameters).find((value) => isRefusedAnywhere(value.toLowerCase()))
  return named === undefined ? undefined : reachingRefusal(named)
}

function findRefusal(query: string): string | undefined {
  const tokens = [...sqlTokens(query)].filter((token) => !isSkippedByServer(token))
  const position = new TablePosition()
  for (const [index, token] of tokens.entries()) {
    position.step(token)
    const refusal = refusalAt(tokens, index, position.inTables)
    if (refusal !== undefined) return refusal
  }
  const repeated = repeatedInterpolation(tokens)
  return repeated === undefined ? undefined : `the query interpolates "${repeated}" twice, of which a server may end; name it once`
}

/** The server takes some signs for spaces that are none to JavaScript (U+200B, U+180E …); no other sign beyond ASCII means anything to it. */
const isSkippedByServer = ({ kind, text }: SqlToken): boolean => kind === 'sign' && (text < ' ' || text > '~')

function refusalAt(tokens: readonly SqlToken[], index: number, inTables: boolean): string | undefined {
  const token = tokens[index]
  const isCall = tokens[index + 1]?.text === '('
  if (token === undefined || token.kind === 'string') return undefined
  if (token.kind === 'sign') return token.text === '}' && isCall ? 'the query calls a function whose name is a parameter; read-only users write the name into the query' : undefined
  if (isSettingsClause(token, tokens[index - 1])) return 'the query brings settings, which read-only users may not; their profile has them (a column of that name is written in quotes: "settings")'
  // `1.file(…)`: what sticks to a number may be a name to the server.
  const name = token.kind === 'number' ? (/[a-z_]\w*$/i.exec(token.text.slice(1))?.[0] ?? '').toLowerCase() : token.value.toLowerCase()
  if (isCall) return callRefusal(name, tokens[index + 2], tokens[index + 3], inTables)
  const isColumn = tokens[index - 1]?.text === '.'
  return !isColumn && isRefusedAnywhere(name) ? reachingRefusal(name) : undefined
}

/**
 * The server holds settings behind the whole query against the profile, but takes those behind a subquery as they are: `readonly = 0` and
 * `max_execution_time = 0` too.
 */
function isSettingsClause({ kind, text, value }: SqlToken, before: SqlToken | undefined): boolean {
  if (kind === 'number') return /\.?settings$/i.test(text)
  return kind === 'word' && value === 'SETTINGS' && before?.text !== '.'
}

const isRefusedAnywhere = (name: string): boolean => REACHING_FUNCTIONS.has(name) || NAMING_FUNCTIONS.has(name)

function callRefusal(name: string, first: SqlToken | undefined, second: SqlToken | undefined, inTables: boolean): string | undefined {
  if (REACHING_FUNCTIONS.has(name)) return reachingRefusal(name)
  if (HOST_FUNCTIONS.has(name)) return `the query calls "${name}", which shows the server's host; read-only users may not: leave it out`
  if (NAMING_FUNCTIONS.has(name)) return namesPlainAggregate(first, second) ? undefined : `the query calls "${name}" with more than the name of an aggregate function; read-only users write it out: 'sum' or 'quantile(0.9)'`
  if (!TABLE_FUNCTIONS.has(name) || HARMLESS_TABLE_FUNCTIONS.has(name)) return undefined
  // The one name that is also a harmless function: `format('{}', x)`.
  if (name === 'format' && !inTables) return undefined
  return `the query calls the table function "${name}", which read-only users may not; they have ${[...HARMLESS_TABLE_FUNCTIONS].join(', ')}, and arrayJoin([…]) for rows of their own`
}

function reachingRefusal(name: string): string {
  return `the query names the function "${name}", which reads or shows what belongs to the server; read-only users may not (a column of that name is written with its table: t.${name})`
}

/** A plain text is followed by a comma: nothing is put together. */
function namesPlainAggregate(first: SqlToken | undefined, second: SqlToken | undefined): boolean {
  return first?.kind === 'string' && second?.text === ',' && /^'\w+(?:\([\d., ]*\))?'$/.test(first.text)
}
