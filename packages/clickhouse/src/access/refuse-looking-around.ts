import { PermissionDeniedError } from '../operational-errors.ts'
import { type SqlToken, sqlTokens } from '../sql-tokens.ts'

/**
 * Columns that every table has beside its own. They number the parts, blocks and rows of a table, those of all tenants together: the
 * gaps between one's own rows tell how many others there are.
 */
const HIDDEN_COLUMN = /^_(?:part(?:_\w+)?|partition_(?:id|value)|block_(?:number|offset)|sample_factor|disk_name|shard_num|row_exists|table|database|path|file|size|time|etag|distance)$/

/** Databases of the server itself: they list what everybody has, and how much of it. */
const SERVER_DATABASES: ReadonlySet<string> = new Set(['system', 'information_schema'])

/** Functions that wait, that tell of server and user, or that read tables beside the row policies. */
const TELLING_FUNCTION = /^(?:sleep|sleepeachrow|version|currentuser|user|current_user|session_user|authenticateduser|authuser|currentprofiles|enabledprofiles|defaultprofiles|currentroles|enabledroles|defaultroles|getsetting|getsettingordefault|hascolumnintable|joinget\w*|dictget\w*|dicthas|dictisin|blockserializedsize|connectionid|connection_id|transaction(?:id|latestsnapshot|oldestsnapshot)|globalvariable|getmaxtablenamelengthfordatabase|partitionid|revision|timezone|servertimezone|evalmlmethod|indexhint|mergetreeindex\w*)$/

/** What the server takes for a call even without brackets, where no column is called so. `user` is one as well, but also what columns are called. */
const CALLED_WITHOUT_BRACKETS: ReadonlySet<string> = new Set(['currentuser', 'current_user', 'session_user'])

/** Statements that a tenant's caller may write. */
const STATEMENTS: ReadonlySet<string> = new Set(['SELECT', 'WITH', 'FROM', 'DESCRIBE', 'DESC', 'EXPLAIN'])
/** What EXPLAIN may tell: the text of the query again. Everything else shows parts, marks or policies. */
const HARMLESS_EXPLAIN: ReadonlySet<string> = new Set(['AST', 'SYNTAX'])

/**
 * Refuses a tenant's query that looks at what belongs to no tenant: the server's own tables, the plan and estimate of a query, the
 * hidden columns of tables, functions that wait or tell of the server. What keeps foreign rows away is the row policy; this keeps away
 * their number.
 *
 * @throws PermissionDeniedError `ERR_CLICKHOUSE_PERMISSION_DENIED` naming what is not allowed
 */
export function refuseLookingAround(query: string, params: Readonly<Record<string, unknown>> = {}): void {
  const tokens = [...sqlTokens(query)].filter(({ kind, text }) => kind !== 'sign' || (text >= ' ' && text <= '~'))
  refuseStatement(tokens)
  tokens.forEach((token, index) => {
    const [before, behind] = [tokens[index - 1]?.text, tokens[index + 1]?.text]
    if (token.kind === 'word' || token.kind === 'name') {
      const name = token.value.toLowerCase()
      const isPartOfName = before === '.' || behind === '.'
      refuseName(name, behind === '(' || (!isPartOfName && CALLED_WITHOUT_BRACKETS.has(name)), behind === '.')
    } else if (token.kind === 'number') {
      // `1._part_offset`: what sticks to a number may be a name to the server.
      refuseName((/[a-z_]\w*$/i.exec(token.text.slice(1))?.[0] ?? '').toLowerCase(), false, false)
    }
  })
  // A name can be handed over as a value, too.
  if (/identifier/i.test(query)) Object.values(params).forEach(refuseValue)
}

function refuseValue(value: unknown): void {
  if (typeof value !== 'string') return
  const names = value.split('.').map((part) => part.replaceAll(/[`"]/g, '').toLowerCase())
  for (const name of names) refuseName(name, names.length === 1 && CALLED_WITHOUT_BRACKETS.has(name), true)
}

function refuseStatement(tokens: readonly SqlToken[]): void {
  const at = tokens.findIndex(({ text }) => text !== '(')
  const [first, second] = [tokens[at]?.value ?? '', tokens[at + 1]?.value ?? '']
  if (!STATEMENTS.has(first)) throw refusal('the query must be a SELECT; what else the server has to tell is not for tenants')
  if (tokens.some(({ kind, value }, index) => kind === 'word' && value === 'EXPLAIN' && !HARMLESS_EXPLAIN.has(tokens[index + 1]?.value ?? '') && (index === at || tokens[index - 1]?.text === '('))) {
    throw refusal(`EXPLAIN ${second} shows how much there is of all tenants; EXPLAIN SYNTAX and EXPLAIN AST may be used`)
  }
}

function refuseName(name: string, isCall: boolean, isQualifier: boolean): void {
  if (HIDDEN_COLUMN.test(name)) throw refusal(`the query names "${name}", which numbers what belongs to all tenants together`)
  if (isCall && TELLING_FUNCTION.test(name)) throw refusal(`the query calls "${name}", which tenants may not; leave it out`)
  if (isQualifier && SERVER_DATABASES.has(name)) throw refusal(`the query names the database "${name}", which tenants may not read`)
}

const refusal = (message: string): PermissionDeniedError => new PermissionDeniedError(message)
