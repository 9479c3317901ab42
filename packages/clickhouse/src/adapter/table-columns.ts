import { outsideOfCalls } from '@smart-whale/core-resilience'
import type { Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, ColumnDescription } from '../adapter-options.ts'
import { QueryError } from '../errors.ts'
import { compileRowEncoder, type RowEncoder } from '../row-binary/row-encoder.ts'

/** A column that an insert may fill. */
export interface InsertColumn extends ColumnDescription {
  /** Whether the table fills it itself when an insert leaves it out. */
  readonly hasDefault: boolean
}

/** What an insert needs to know of a table. */
export interface TableDescription {
  readonly columns: readonly InsertColumn[]
  /** Whether it drops an insert that comes again under its token. */
  readonly deduplicates: boolean
  /** Whether its replicas remember tokens together, so that it may come again to another one of them. */
  readonly isReplicated: boolean
  /** Encoder of these columns, kept for the next batch; null when one of them needs another format. */
  encoderOf(names: ReadonlySet<string>): RowEncoder | null
}

/** More tables, and more sets of columns of one, are not remembered. */
const MAX_TABLES = 500
const MAX_ENCODERS = 100

/** The columns of tables, asked for once and remembered until an insert fails. */
export class TableColumns {
  readonly #adapter: ClickHouseAdapter
  readonly #tables = new Map<string, Promise<TableDescription>>()

  constructor(adapter: ClickHouseAdapter) {
    this.#adapter = adapter
  }

  /** Asked for once for all who want to know: nobody's abort ends it, its own deadline does. */
  of(table: string): Promise<TableDescription> {
    const known = this.#tables.get(table)
    if (known !== undefined) return known
    if (this.#tables.size >= MAX_TABLES) this.#tables.clear()
    const asked = outsideOfCalls(() => this.#ask(table)).catch((error: unknown) => {
      this.#tables.delete(table)
      throw error
    })
    this.#tables.set(table, asked)
    return asked
  }

  forget(table: string): void {
    this.#tables.delete(table)
  }

  async #ask(table: string): Promise<TableDescription> {
    const [database, name] = splitTableName(table, this.#adapter.database)
    const [{ rows = [] } = {}, tables] = await this.#adapter.executeMany<Row & ColumnRow & EngineRow>([
      ['SELECT name, type, default_kind FROM system.columns WHERE database = {database:String} AND table = {name:String} ORDER BY position', { database, name }],
      ['SELECT engine, create_table_query AS definition FROM system.tables WHERE database = {database:String} AND name = {name:String}', { database, name }],
    ])
    const [found] = tables?.rows ?? []
    if (rows.length === 0) throw new QueryError(`there is no table "${table}", or this user may not see it`, { code: 'ERR_CLICKHOUSE_QUERY', status: 404 })
    const columns = rows.filter(({ default_kind: kind }) => kind !== 'ALIAS' && kind !== 'MATERIALIZED').map((row) => ({ name: row.name, type: row.type, hasDefault: row.default_kind !== '' }))
    return {
      columns,
      deduplicates: found !== undefined && remembersTokens(found.engine, found.definition),
      isReplicated: found !== undefined && isReplicated(found.engine),
      encoderOf: rememberEncoders(table, columns),
    }
  }
}

interface ColumnRow {
  readonly name: string
  readonly type: string
  readonly default_kind: string
}

interface EngineRow {
  readonly engine: string
  readonly definition: string
}

/** Whether a table remembers tokens: a replicated one does by itself, a plain one when it is given a window. */
export function remembersTokens(engine: string, definition: string): boolean {
  if (isReplicated(engine)) return true
  return Number(/non_replicated_deduplication_window\s*=\s*(\d+)/.exec(definition)?.[1] ?? 0) > 0
}

/** Whether a table's replicas keep its rows and tokens together. */
export function isReplicated(engine: string): boolean {
  return engine.startsWith('Replicated') || engine.startsWith('Shared')
}

function rememberEncoders(table: string, columns: readonly InsertColumn[]): TableDescription['encoderOf'] {
  const encoders = new Map<string, RowEncoder | null>()
  return (names) => {
    const filled = columns.filter(({ name }) => names.has(name))
    const key = filled.map(({ name }) => name).join('\0')
    const known = encoders.get(key)
    if (known !== undefined) return known
    const encoder = compileRowEncoder(table, filled)
    if (encoders.size < MAX_ENCODERS) encoders.set(key, encoder)
    return encoder
  }
}

/** `database.table` or `table`; a dot inside backticks belongs to the name. */
export function splitTableName(table: string, defaultDatabase: string): readonly [database: string, name: string] {
  const parts = table.match(/`(?:[^`\\]|\\.|``)+`|[^.]+/g) ?? [table]
  const plain = parts.map((part) => (part.startsWith('`') ? part.slice(1, -1).replaceAll('``', '`').replace(/\\(.)/g, '$1') : part))
  return plain.length === 2 ? [plain[0] as string, plain[1] as string] : [defaultDatabase, plain.join('.')]
}

/** A name as ClickHouse takes it wherever it stands. */
export function quoteName(name: string): string {
  return `\`${name.replace(/[\\`]/g, '\\$&')}\``
}

/** `database.table` or `table`, each part quoted. */
export function quoteTableName(table: string): string {
  const [database, name] = splitTableName(table, '')
  return database === '' ? quoteName(name) : `${quoteName(database)}.${quoteName(name)}`
}
