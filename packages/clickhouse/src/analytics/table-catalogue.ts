import type { Clock, Logger } from '@smart-whale/interfaces'
import { splitTableName } from '../adapter/table-columns.ts'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { TablesRead } from './find-tables.ts'
import { describeQuery, materializedInto } from './query-text.ts'
import type { TableDependencies } from './table-dependencies.ts'

/** What a {@link TableCatalogue} is made from. */
export interface TableCatalogueOptions {
  /** Whose tables and views these are, as far as its user sees them; its database is what unqualified names mean. @default none, required */
  readonly adapter: ClickHouseAdapter
  /** How old the list may be before it is read anew, in milliseconds. @default none, required */
  readonly maxAgeMs: number
  /** Measures the age of the list. @default none, required */
  readonly clock: Clock
  /** Warned when the list can't be read. @default none, required */
  readonly logger: Logger
}

interface CataloguedTable {
  readonly engine: string
  /** The view's own query. */
  readonly select: string
  /** Where a materialized view writes to; undefined for one that keeps its rows itself. */
  readonly target: string | undefined
  /** Materialized views that read it. */
  readonly views: readonly string[]
}

type Catalogue = ReadonlyMap<string, CataloguedTable>

interface CatalogueRow extends Record<string, unknown> {
  database: string
  name: string
  engine: string
  as_select: string
  create_table_query: string
  dependencies_database: string[]
  dependencies_table: string[]
}

const CATALOGUE = `SELECT database, name, engine, as_select, create_table_query, dependencies_database, dependencies_table
FROM system.tables WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')`

const NO_TABLES: readonly string[] = []

/** Engines whose rows are their own and change by inserts alone. Others read elsewhere, or change by themselves. */
const HOLDS_ROWS = /^(?:\w*MergeTree|Memory|Log|TinyLog|StripeLog)$/
/** What is inserted here is stored here, where the catalogue says, or nowhere. Others hand it on: an alias, a buffer, a table over several servers. */
const KEEPS_OR_TELLS = new RegExp(`${HOLDS_ROWS.source}|^(?:MaterializedView|Null|Join|Set|EmbeddedRocksDB)$`)

/**
 * Dependencies by the server's own list of tables and views, as the adapter's user sees it: views are followed to the tables
 * that they read, materialized views to the tables that they fill. What can't be followed counts as any table.
 */
export class TableCatalogue implements TableDependencies {
  readonly #options: TableCatalogueOptions
  #tables: Promise<Catalogue | undefined> | undefined
  #loadedAt = -Infinity
  /** What the queries asked lately read, by the catalogue that is in use: found once for each. */
  #inUse: { readonly catalogue: Catalogue; readonly found: WeakMap<TablesRead, readonly string[] | 'any'> } | undefined

  constructor(options: TableCatalogueOptions) {
    this.#options = options
  }

  async readBy(query: string): Promise<readonly string[] | 'any'> {
    const { tables } = describeQuery(query)
    if (tables === 'any') return 'any'
    // A query without a table needs no catalogue.
    if (tables.named.length === 0) return NO_TABLES
    const catalogue = await this.#catalogue()
    return catalogue === undefined ? 'any' : this.#tablesOf(tables, catalogue)
  }

  readAtOnce(query: string): readonly string[] | 'any' | undefined {
    const { tables } = describeQuery(query)
    if (tables === 'any') return 'any'
    if (tables.named.length === 0) return NO_TABLES
    if (this.#inUse === undefined || this.#isTooOld()) return undefined
    const { catalogue, found } = this.#inUse
    const known = found.get(tables)
    if (known !== undefined) return known
    const read = this.#tablesOf(tables, catalogue)
    found.set(tables, read)
    return read
  }

  async affectedBy(table: string): Promise<readonly string[] | 'any'> {
    const catalogue = await this.#catalogue()
    const affected = new Set([splitTableName(table, this.#options.adapter.database).join('.')])
    // The set grows while it is walked through: what a view fills may feed further views.
    for (const name of affected) {
      const known = catalogue?.get(name)
      if (known === undefined || !KEEPS_OR_TELLS.test(known.engine)) return 'any'
      if (known.target !== undefined) affected.add(known.target)
      for (const view of known.views) affected.add(view)
    }
    return [...affected]
  }

  #tablesOf(tables: TablesRead, catalogue: Catalogue): readonly string[] | 'any' {
    const found = new Set<string>()
    return this.#follow(tables, catalogue, found) ? [...found] : 'any'
  }

  /** Adds the tables to `found`, with all that the views among them read; false when one of them can't be followed. */
  #follow(tables: TablesRead, catalogue: Catalogue, found: Set<string>): boolean {
    return tables.named.every((reference) => {
      const name = `${reference.database ?? this.#options.adapter.database}.${reference.name}`
      const table = catalogue.get(name)
      // The name of a subquery may also be that of a table, which the subquery itself may read.
      if (table === undefined) return reference.maybeSubquery
      if (found.has(name)) return true
      found.add(name)
      if (HOLDS_ROWS.test(table.engine)) return true
      if (table.engine === 'MaterializedView') {
        if (table.target !== undefined) found.add(table.target)
        return true
      }
      const read = table.engine === 'View' ? describeQuery(table.select).tables : 'any'
      return read !== 'any' && this.#follow(read, catalogue, found)
    })
  }

  async #catalogue(): Promise<Catalogue | undefined> {
    if (this.#tables === undefined || this.#isTooOld()) {
      this.#loadedAt = this.#options.clock.monotonic()
      this.#inUse = undefined
      const loading = this.#load()
      this.#tables = loading
      void loading.then((catalogue) => {
        if (catalogue !== undefined && this.#tables === loading) this.#inUse = { catalogue, found: new WeakMap() }
      })
    }
    return this.#tables
  }

  #isTooOld(): boolean {
    return this.#options.clock.monotonic() - this.#loadedAt >= this.#options.maxAgeMs
  }

  async #load(): Promise<Catalogue | undefined> {
    try {
      const { rows } = await this.#options.adapter.execute<CatalogueRow>(CATALOGUE)
      return new Map(rows.map((row) => [`${row.database}.${row.name}`, catalogued(row)]))
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the list of tables could not be read; until it can, every insert voids every kept answer')
      return undefined
    }
  }
}

function catalogued(row: CatalogueRow): CataloguedTable {
  return {
    engine: row.engine,
    select: row.as_select,
    target: row.engine === 'MaterializedView' ? materializedInto(row.create_table_query) : undefined,
    views: row.dependencies_table.map((name, index) => `${row.dependencies_database[index]}.${name}`),
  }
}
