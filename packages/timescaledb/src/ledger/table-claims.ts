import { type CallOptions, type ClaimedTable, progressGivenError, type Row, type TableClaim, tableTakenError, type TakenTable } from '@smart-whale/interfaces'
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

/** Whether the table is another store's, which decides itself whose it is. */
export const isElsewhere = ({ store }: Pick<ClaimedTable, 'store'>): boolean => store === 'ClickHouse'

/**
 * What stands for a pipeline's progress with a table of another store. It has the pipeline's name in it, since two servers may have tables of one name, and a pipeline each is
 * nothing wrong. No table of PostgreSQL is called so: it would be quoted.
 */
export const progressName = ({ table, pipeline }: Pick<TableClaim, 'table' | 'pipeline'>): string => `${progressOf(table)}${JSON.stringify(pipeline)}]`

/** How the names begin that stand for any pipeline's. */
const progressOf = (table: string): string => `ClickHouse [${JSON.stringify(table)},`

/** How the claims name a table: the SQL, and the parameter in it. */
function namedBy(claim: Pick<TableClaim, 'table' | 'store' | 'pipeline'>, parameter: string): { readonly sql: string; readonly value: string } {
  return isElsewhere(claim) ? { sql: `${parameter}::text`, value: progressName(claim) } : { sql: tableNameOf(parameter), value: quoteTable(claim.table) }
}

/** Two that begin at once may not see each other's claim within one statement; in the next one they do. */
const MOST_LOOKS = 5

/**
 * Which pipeline has a table for a topic: one for all partitions, by the primary key. Of a table of another store, which pipeline has the progress that one had with it: the
 * same one until that is given to another.
 */
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
    if (holder !== claim.pipeline) throw isElsewhere(claim) ? progressGivenError(taken(claim, holder)) : tableTakenError(taken(claim, holder))
  }

  /** Whose the table is; null when nobody has it. */
  async holder(claim: TableClaim, call: CallOptions): Promise<string | null> {
    const { sql, value } = namedBy(claim, '$1')
    const [row] = await this.#storage.execute<Row & { pipeline: string | null }>(
      `with named as (select ${sql} as table_name), before as (${this.#before()})
       select coalesce((select claims.pipeline from ${this.quoted} claims join named using (table_name) where claims.topic_id = $2), (select pipeline from before)) as pipeline`,
      [value, claim.topicId],
      call,
    )
    return row?.pipeline ?? null
  }

  /** Gives the table to a pipeline, whoever had it; others that want to know wait until the transaction has ended. */
  async give(claim: TableClaim, call: CallOptions): Promise<void> {
    const { sql, value } = namedBy(claim, '$1')
    await this.#storage.execute(
      `insert into ${this.quoted} (table_name, topic_id, pipeline) values (${sql}, $2, $3)
       on conflict (table_name, topic_id) do update set pipeline = excluded.pipeline, claimed_at = clock_timestamp() returning ${DURABLY}`,
      [value, claim.topicId, claim.pipeline],
      call,
    )
  }

  /**
   * Gives the progress that a pipeline has with a table of another store to another pipeline, and all that it was given by others; false where that has it already. Within a
   * transaction: a claim of the former one that is under way has ended then, and later ones are refused.
   * @throws `ERR_TABLE_TAKEN` where the progress of one of the two was given to a third
   */
  async giveProgress(from: string, claim: TableClaim, call: CallOptions): Promise<boolean> {
    const { topicId, pipeline: to } = claim
    const claims = [from, to].map((pipeline) => ({ ...claim, pipeline }))
    await this.#storage.execute(`insert into ${this.quoted} (table_name, topic_id, pipeline) select * from unnest($1::text[], $2::text[], $3::text[]) on conflict (table_name, topic_id) do nothing`, [claims.map(progressName), [topicId, topicId], [from, to]], call)
    // Of two commands at once, the second one waits here, and finds what the first one has given.
    const held = await this.#storage.execute<Row & { table_name: string; pipeline: string }>(`select table_name, pipeline from ${this.quoted} where table_name = any($1::text[]) and topic_id = $2 order by table_name for update`, [claims.map(progressName), topicId], call)
    const holders = new Map(held.map(({ table_name, pipeline }) => [table_name, pipeline]))
    for (const each of claims) {
      const holder = holders.get(progressName(each)) ?? each.pipeline
      if (each.pipeline === from && holder === to) return false
      if (holder !== from && holder !== each.pipeline) throw progressGivenError(taken(each, holder))
    }
    await this.#storage.execute(`update ${this.quoted} set pipeline = $3, claimed_at = clock_timestamp() where topic_id = $2 and starts_with(table_name, $1) and pipeline = $4 returning ${DURABLY}`, [progressOf(claim.table), topicId, to, from], call)
    return true
  }

  /** What an earlier version claimed stands in the ledger's entries: it is the one's that has most of them. */
  #before(): string {
    return `select entry.pipeline from ${this.#ledger} entry join named using (table_name) where entry.topic_id = $2 group by entry.pipeline order by count(*) desc, max(entry.updated_at) desc limit 1`
  }

  async #settle(claim: TableClaim, call: CallOptions): Promise<string> {
    const { topicId, pipeline } = claim
    const { sql, value } = namedBy(claim, '$1')
    for (let look = 0; look < MOST_LOOKS; look++) {
      const [row] = await this.#storage.execute<Row & { pipeline: string }>(
        `with named as (select ${sql} as table_name),
              before as (${this.#before()}),
              made as (insert into ${this.quoted} (table_name, topic_id, pipeline) select named.table_name, $2, coalesce((select pipeline from before), $3) from named
                       on conflict (table_name, topic_id) do nothing returning pipeline, ${DURABLY})
         select pipeline from made union all select claims.pipeline from ${this.quoted} claims join named using (table_name) where claims.topic_id = $2`,
        [value, topicId, pipeline],
        call,
      )
      if (row !== undefined) return row.pipeline
    }
    throw new TimescaleOperationError(`which pipeline has the table "${claim.table}" changes all the time`, { code: 'ERR_TIMESCALEDB_CONFLICT', retryable: true })
  }
}

const taken = (claim: TableClaim, holder: string): TakenTable => ({ ...claim, store: claim.store ?? 'PostgreSQL', holder })
