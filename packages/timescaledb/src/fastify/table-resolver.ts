import { InfrastructureError } from '@smart-whale/interfaces'
import { quoteIdentifier } from '../quote-identifier.ts'
import { unknownTable } from '../time-series/table-description.ts'
import { TimeSeriesRepository } from '../time-series/time-series-repository.ts'
import type { TimescaleStorage } from '../timescale-storage.ts'

/** Which tables may be seen. */
export interface TableResolverOptions {
  /** Where the tables are. @default none, required */
  readonly storage: Pick<TimescaleStorage, 'execute' | 'capabilities'>
  /** The one schema whose tables may be seen. @default none, required */
  readonly schema: string
  /** Names within the schema; without it, every table with a timestamptz column. @default none, required */
  readonly tables: readonly string[] | undefined
  /** Most rows of one answer. @default none, required */
  readonly maxRows: number
  /** How long one statement may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
}

/** One table that may be seen, and how it is read. */
export interface ResolvedTable {
  /** `schema.table`. */
  readonly table: string
  readonly repository: TimeSeriesRepository
}

/** Tables that this package keeps its books in; never shown, even when named. */
const INTERNAL = /^smart_whale_|^audit_log$/
/** Repositories kept at a time; names that find no table are not kept. */
const MAX_KNOWN = 1000

/** Finds the table that a path names, without ever looking outside the schema. */
export class TableResolver {
  readonly #options: TableResolverOptions
  readonly #known = new Map<string, ResolvedTable>()

  constructor(options: TableResolverOptions) {
    this.#options = options
  }

  /** @throws TimescaleOperationError `ERR_TIMESCALEDB_UNKNOWN_TABLE` (404) for what isn't there and for what may not be seen, alike */
  async resolve(name: string, signal: AbortSignal): Promise<ResolvedTable> {
    const known = this.#known.get(name)
    if (known) return known
    if (!this.#mayBeSeen(name) || !(await this.#exists(name, signal))) throw unknownTable(name)
    const { storage, schema, maxRows, timeoutMs } = this.#options
    const table = `${schema}.${name}`
    const resolved = { table, repository: new TimeSeriesRepository(storage, table, { maxRows, timeoutMs }) }
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(name, resolved)
    return resolved
  }

  /** Runs some work on a table; should the table or one of its columns have gone meanwhile, it is looked up anew, once. */
  async withTable<T>(name: string, signal: AbortSignal, work: (resolved: ResolvedTable) => Promise<T>): Promise<T> {
    try {
      return await work(await this.resolve(name, signal))
    } catch (error) {
      if (!InfrastructureError.isInstance(error) || error.code !== 'ERR_TIMESCALEDB_UNDEFINED' || !this.#known.delete(name)) throw error
      return work(await this.resolve(name, signal))
    }
  }

  #mayBeSeen(name: string): boolean {
    if (INTERNAL.test(name) || name.includes('.') || name.includes('\0') || !name.isWellFormed() || Buffer.byteLength(name) > 63) return false
    return this.#options.tables === undefined || this.#options.tables.includes(name)
  }

  async #exists(name: string, signal: AbortSignal): Promise<boolean> {
    const found = await this.#options.storage.execute(
      `select 1 as found from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'm') and not c.relispartition
         and exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.atttypid = 'timestamptz'::regtype)`,
      [this.#options.schema, name],
      { signal, timeoutMs: this.#options.timeoutMs },
    )
    return found.length > 0
  }
}

/** Checks a schema's name once, when the routes are made. */
export function checkSchema(schema: string): string {
  quoteIdentifier(schema, 'schema')
  return schema
}
