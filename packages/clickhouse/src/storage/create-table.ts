import { type CallOptions, type TableDefinition, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName, quoteTableName } from '../adapter/table-columns.ts'

/** What a table is made with, besides its columns. */
export interface CreateTableOptions extends CallOptions {
  /** How many inserts the table remembers the tokens of; a repeat within them is dropped. 0 switches it off. @default 10000 */
  deduplicationWindow?: number | undefined
  /** Expression that parts are kept apart by. An insert that spans many of its values makes as many parts. @default none */
  partitionBy?: string | undefined
}

/** Most tokens that {@link createTable} makes a table remember when nothing else is said. */
export const DEFAULT_DEDUPLICATION_WINDOW = 10_000

/**
 * Makes a `MergeTree` table that honours deduplication tokens, unless it is there already (then it stays as it is).
 * A plain `MergeTree` remembers no tokens by itself: the window has to be set. With a window each row keeps the number of its insert's block,
 * which tells whether a token is still remembered.
 * @throws ValidationError for a definition without columns or with a type that holds more than a type
 */
export async function createTable(adapter: ClickHouseAdapter, name: string, definition: TableDefinition, options: CreateTableOptions = {}): Promise<void> {
  const { deduplicationWindow = DEFAULT_DEDUPLICATION_WINDOW, partitionBy, ...call } = options
  const columns = Object.entries(definition.columns).map(([column, type]) => `${quoteName(checkedName(column))} ${checkedType(column, type)}`)
  if (columns.length === 0) throw new ValidationError(`table "${name}" needs at least one column`, { issues: [{ path: ['columns'], message: 'must not be empty' }] })
  const key = (definition.primaryKey ?? []).map((column) => {
    if (Object.hasOwn(definition.columns, column)) return quoteName(column)
    throw new ValidationError(`the key of table "${name}" names "${column}", which is no column`, { issues: [{ path: ['primaryKey', column], message: 'is not among the columns' }] })
  })
  await adapter.execute(
    `CREATE TABLE IF NOT EXISTS ${quoteTableName(checkedName(name))} (${columns.join(', ')}) ENGINE = MergeTree ${partitionBy === undefined ? '' : `PARTITION BY ${partitionBy} `}ORDER BY (${key.join(', ')}) SETTINGS non_replicated_deduplication_window = ${deduplicationWindow}${deduplicationWindow > 0 ? ', enable_block_number_column = 1' : ''}`,
    {},
    call,
  )
}

function checkedName(name: string): string {
  if (name !== '' && name.length <= 200 && !/[\u0000-\u001f]/.test(name)) return name
  throw new ValidationError('a table or column has an empty, overlong or unprintable name', { issues: [{ path: [name.slice(0, 50)], message: 'must have 1 to 200 printable characters' }] })
}

/** A type may have brackets and quoted arguments, and a default or codec behind it; what could end the statement is refused. */
function checkedType(column: string, type: string): string {
  const outside = type.replace(/'(?:[^'\\]|\\.|'')*'/g, "''")
  let depth = 0
  for (const character of outside) {
    if (character === '(') depth++
    if (character === ')' && --depth < 0) break
  }
  if (type.trim() !== '' && depth === 0 && /^[\w\s(),.'=:+-]*$/.test(outside) && !/--|''\S*'(?!')/.test(outside.replaceAll("''", ''))) return type
  throw new ValidationError(`column "${column}" has a type that is none`, { issues: [{ path: ['columns', column], message: 'must be a ClickHouse type, like Int64 or Nullable(String)' }] })
}
