import { type CallOptions, type Row, type TableClaim, tableTakenError } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { quoteTable } from '../quote-identifier.ts'
import type { LedgerExecutor } from './ingest-ledger.ts'
import { tableClaimsTable } from './ingest-ledger-table.ts'

/**
 * Raises the commit of the statement that contains it to "on disk", whatever the session's setting is.
 * In `returning`, because a common table expression that nobody reads is never run.
 */
export const DURABLY = `case when current_setting('synchronous_commit') in ('off', 'local', 'remote_write') then set_config('synchronous_commit', 'on', true) end`

/** The parameter's table by its schema and name, however it was written: two pipelines may spell one table differently. */
export const tableNameOf = (parameter: string): string =>
  `coalesce((select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass(${parameter})), ${parameter})`

/** Two that begin at once may not see each other's claim within one statement; in the next one they do. */
const MOST_LOOKS = 5

/** Which pipeline has a table for a topic: one for all partitions, by the primary key. */
export class TableClaims {
  readonly #storage: LedgerExecutor
  readonly #ledger: string
  /** As SQL may contain it. */
  readonly quoted: string

  constructor(storage: LedgerExecutor, ledgerTable: string) {
    this.#storage = storage
    this.#ledger = quoteTable(ledgerTable)
    this.quoted = quoteTable(tableClaimsTable(ledgerTable))
  }

  /** Gives the table to a pipeline where none has it. @throws `ERR_TABLE_TAKEN` */
  async claim(claim: TableClaim, call: CallOptions): Promise<void> {
    const holder = await this.#settle(claim, call)
    if (holder !== claim.pipeline) throw tableTakenError({ ...claim, store: 'PostgreSQL', holder })
  }

  /** Whose the table is; null when nobody has it. */
  async holder({ table, topicId }: Omit<TableClaim, 'pipeline'>, call: CallOptions): Promise<string | null> {
    const [row] = await this.#storage.execute<Row & { pipeline: string | null }>(
      `with named as (select ${tableNameOf('$1')} as table_name), before as (${this.#before()})
       select coalesce((select claims.pipeline from ${this.quoted} claims join named using (table_name) where claims.topic_id = $2), (select pipeline from before)) as pipeline`,
      [quoteTable(table), topicId],
      call,
    )
    return row?.pipeline ?? null
  }

  /** Gives the table to a pipeline, whoever had it; others that want to know wait until the transaction has ended. */
  async give({ table, topicId, pipeline }: TableClaim, call: CallOptions): Promise<void> {
    await this.#storage.execute(
      `insert into ${this.quoted} (table_name, topic_id, pipeline) values (${tableNameOf('$1')}, $2, $3)
       on conflict (table_name, topic_id) do update set pipeline = excluded.pipeline, claimed_at = clock_timestamp() returning ${DURABLY}`,
      [quoteTable(table), topicId, pipeline],
      call,
    )
  }

  /** What an earlier version claimed stands in the ledger's entries: it is the one's that has most of them. */
  #before(): string {
    return `select entry.pipeline from ${this.#ledger} entry join named using (table_name) where entry.topic_id = $2 group by entry.pipeline order by count(*) desc, max(entry.updated_at) desc limit 1`
  }

  async #settle({ table, topicId, pipeline }: TableClaim, call: CallOptions): Promise<string> {
    for (let look = 0; look < MOST_LOOKS; look++) {
      const [row] = await this.#storage.execute<Row & { pipeline: string }>(
        `with named as (select ${tableNameOf('$1')} as table_name),
              before as (${this.#before()}),
              made as (insert into ${this.quoted} (table_name, topic_id, pipeline) select named.table_name, $2, coalesce((select pipeline from before), $3) from named
                       on conflict (table_name, topic_id) do nothing returning pipeline, ${DURABLY})
         select pipeline from made union all select claims.pipeline from ${this.quoted} claims join named using (table_name) where claims.topic_id = $2`,
        [quoteTable(table), topicId, pipeline],
        call,
      )
      if (row !== undefined) return row.pipeline
    }
    throw new TimescaleOperationError(`which pipeline has the table "${table}" changes all the time`, { code: 'ERR_TIMESCALEDB_CONFLICT', retryable: true })
  }
}
