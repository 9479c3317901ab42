import { type Clock, ConfigurationError } from '@smart-whale/interfaces'
import { quoteName, quoteTableName, splitTableName } from '../adapter/table-columns.ts'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { type ClickHouseErrorCode, QueryError } from '../errors.ts'
import { type CheckedRow, compileRowCheck, type StreamColumn } from './check-row.ts'

/** A table as a stream needs to know it. */
export interface StreamTable {
  /** `database.table`, each part quoted. */
  readonly name: string
  /** Whether the table keeps a batch once that is sent twice under the same token. */
  readonly deduplicates: boolean
  check(row: unknown): CheckedRow
  /** @throws ConfigurationError `ERR_CLICKHOUSE_NO_DEDUPLICATION` */
  assertDeduplicates(): void
}

interface Described {
  readonly table: StreamTable
  readonly columns: ReadonlySet<string>
  readonly at: number
}

/** A row with a column that isn't known makes the columns be read again, but no more often than this. */
const REREAD_AFTER_MS = 1000

/** Knows the tables that streams write to. */
export class StreamTables {
  readonly #adapter: ClickHouseAdapter
  readonly #maxAgeMs: number
  readonly #clock: Clock
  readonly #described = new Map<string, Promise<Described>>()

  constructor(adapter: ClickHouseAdapter, maxAgeMs: number, clock: Clock) {
    this.#adapter = adapter
    this.#maxAgeMs = maxAgeMs
    this.#clock = clock
  }

  /** The table as it is, or was a short while ago; read again when rows have a column that it had not. */
  async describe(name: string, columns: readonly string[]): Promise<StreamTable> {
    const reading = this.#described.get(name) ?? this.#describeAnew(name)
    const known = await reading
    if (!this.#outdated(known, columns)) return known.table
    // Only the first who finds it outdated reads it again; the others find the new reading.
    if (this.#described.get(name) === reading) this.#described.delete(name)
    return (await (this.#described.get(name) ?? this.#describeAnew(name))).table
  }

  /** Without anybody's signal: whoever asks meanwhile waits for the same answer. */
  #describeAnew(name: string): Promise<Described> {
    const reading = this.#read(name)
    this.#described.set(name, reading)
    // A failure is for those to hear who wait, and no reason to fail the next one.
    reading.catch(() => this.#described.get(name) === reading && this.#described.delete(name))
    return reading
  }

  #outdated({ at, columns: known }: Described, columns: readonly string[]): boolean {
    const age = this.#clock.monotonic() - at
    return age >= this.#maxAgeMs || (age >= REREAD_AFTER_MS && columns.some((column) => !known.has(column)))
  }

  async #read(name: string): Promise<Described> {
    const [database, table] = splitTableName(name, this.#adapter.database)
    const params = { database, table }
    const [columns, tables] = await this.#adapter.executeMany([
      [
        'SELECT name, type, default_kind FROM system.columns WHERE database = {database:String} AND table = {table:String} ORDER BY position',
        params,
      ],
      ['SELECT engine, engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}', params],
    ])
    const found = tables?.rows[0] as { engine: string; engine_full: string } | undefined
    if (found === undefined) throw unknownTable(name)
    const described = ((columns?.rows ?? []) as { name: string; type: string; default_kind: string }[]).map((column): StreamColumn => ({
      name: column.name,
      type: column.type,
      defaultKind: column.default_kind,
    }))
    const check = compileRowCheck(described)
    const deduplicates = dropsRepeats(found.engine, found.engine_full)
    const assertDeduplicates = (): void => {
      if (!deduplicates) throw noDeduplication(name)
    }
    return {
      table: { name: `${quoteName(database)}.${quoteName(table)}`, deduplicates, check: check.check, assertDeduplicates },
      columns: check.columns,
      at: this.#clock.monotonic(),
    }
  }
}

/** Replicated tables drop repeats by themselves; others only when they were told how many to remember. */
function dropsRepeats(engine: string, definition: string): boolean {
  if (/^(?:Replicated|Shared)/.test(engine)) return !/replicated_deduplication_window\s*=\s*0\b/.test(definition)
  return /\bnon_replicated_deduplication_window\s*=\s*[1-9]/.test(definition)
}

function unknownTable(name: string): QueryError {
  return new QueryError(`there is no table "${name}", or this user may not see it`, { code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', status: 404 })
}

function noDeduplication(name: string): ConfigurationError<ClickHouseErrorCode> {
  return new ConfigurationError<ClickHouseErrorCode>(
    `table ${name} keeps rows twice that are sent twice, so an idempotency key can't hold there; run ALTER TABLE ${quoteTableName(name)} MODIFY SETTING non_replicated_deduplication_window = 10000`,
    { code: 'ERR_CLICKHOUSE_NO_DEDUPLICATION' },
  )
}
