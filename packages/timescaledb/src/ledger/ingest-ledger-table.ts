import { quoteIdentifier, quoteTable, splitTable } from '../quote-identifier.ts'

/** Where {@link IngestLedger} keeps its rows unless told otherwise. */
export const INGEST_LEDGER_TABLE = 'smart_whale_ingest_ledger'

/**
 * The statements that make a ledger's table, or bring an older one up to date; repeatable.
 */
export function ingestLedgerDefinition(table: string = INGEST_LEDGER_TABLE): string[] {
  return [...firstLedgerDefinition(table), ...tablesApartDefinition(table), ...tableClaimsDefinition(table)]
}

/**
 * The table as it was made first; a migration that was applied never changes.
 * Offsets are `numeric(20)`: the one after the last 64-bit offset doesn't fit into a bigint.
 */
export function firstLedgerDefinition(table: string = INGEST_LEDGER_TABLE): string[] {
  return [
    `create table if not exists ${quoteTable(table)} (
  pipeline text not null,
  topic_id text not null,
  "partition" integer not null check ("partition" >= 0),
  next_offset numeric(20) not null check (next_offset >= 0),
  epoch bigint not null check (epoch > 0),
  owner text not null,
  claimed_at timestamptz not null default clock_timestamp(),
  first_offset numeric(20),
  last_offset numeric(20),
  token text,
  excluded_offsets jsonb,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (pipeline, topic_id, "partition"),
  constraint slice_is_whole check (num_nulls(first_offset, last_offset, token, excluded_offsets) in (0, 4)),
  constraint slice_is_ahead check (first_offset >= next_offset and last_offset >= first_offset)
)`,
  ]
}

/** What keeps two pipelines from storing the same partition into one table. Entries of before name no table until they are claimed again. */
export function tablesApartDefinition(table: string = INGEST_LEDGER_TABLE): string[] {
  return [
    `alter table ${quoteTable(table)} add column if not exists table_name text`,
    `create unique index if not exists ${quoteIdentifier(tablesApartIndex(table))} on ${quoteTable(table)} (table_name, topic_id, "partition") where table_name is not null`,
  ]
}

/** The name of the index whose refusal says that another pipeline has the table. */
export const tablesApartIndex = (table: string): string => `${splitTable(table).name.slice(0, 40)}_one_pipeline`

/**
 * Which pipeline has a table for a topic, all partitions of it. What earlier versions claimed is in the ledger's entries, and counts as long as nothing is here. A name that
 * begins with `ClickHouse` is a pipeline's progress with a table there, which another one may have been given.
 */
export function tableClaimsDefinition(table: string = INGEST_LEDGER_TABLE): string[] {
  return [
    `create table if not exists ${quoteTable(tableClaimsTable(table))} (
  table_name text not null,
  topic_id text not null,
  pipeline text not null,
  claimed_at timestamptz not null default clock_timestamp(),
  primary key (table_name, topic_id)
)`,
  ]
}

/** The table of a ledger's table claims: beside it, in its schema. */
export const tableClaimsTable = (table: string): string => `${table}_tables`
