import { quoteTable } from '../quote-identifier.ts'

/** Where {@link IngestLedger} keeps its rows unless told otherwise. */
export const INGEST_LEDGER_TABLE = 'smart_whale_ingest_ledger'

/**
 * The statements that make a ledger's table; repeatable.
 * Offsets are `numeric(20)`: the one after the last 64-bit offset doesn't fit into a bigint.
 */
export function ingestLedgerDefinition(table: string = INGEST_LEDGER_TABLE): string[] {
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
