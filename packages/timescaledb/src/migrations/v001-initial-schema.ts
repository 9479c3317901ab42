import { IDEMPOTENCY_KEYS_TABLE } from '../time-series/idempotency-keys.ts'
import { firstLedgerDefinition, INGEST_LEDGER_TABLE } from '../ledger/ingest-ledger-table.ts'
import type { Migration } from './migration.ts'

/** TimescaleDB's `time_bucket` for servers without it, and for SQL that has to run on both. */
const TIME_BUCKET = `create or replace function smart_whale_time_bucket(width interval, at timestamptz, zone text default 'UTC') returns timestamptz
language sql immutable strict parallel safe
return case
  when extract(year from width) * 12 + extract(month from width) = 0 or width <> date_trunc('month', width)
    then date_bin(width, at at time zone zone, timestamp '2000-01-03') at time zone zone
  else (
    timestamp '2000-01-01'
      + floor(((extract(year from at at time zone zone) - 2000) * 12 + extract(month from at at time zone zone) - 1)
        / (extract(year from width) * 12 + extract(month from width)))::int
      * (extract(year from width) * 12 + extract(month from width))::int * interval '1 month'
  ) at time zone zone
end`

/** The tables that every installation has. */
export const v001InitialSchema: Migration = {
  id: 'v001_initial_schema',
  description: 'time series, audit log, ingest ledger, idempotency keys, time_bucket',
  up: [
    `create table if not exists time_series_data (
  id text not null,
  "timestamp" timestamptz not null,
  value double precision,
  metadata jsonb not null default '{}',
  primary key (id, "timestamp")
)`,
    `create table if not exists audit_log (
  id bigint generated always as identity primary key,
  logged_at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  details jsonb not null default '{}'
)`,
    ...firstLedgerDefinition(),
    `create table if not exists ${IDEMPOTENCY_KEYS_TABLE} (
  scope text not null,
  key text not null,
  body_hash text not null,
  answer jsonb,
  expires_at timestamptz not null,
  primary key (scope, key)
)`,
    TIME_BUCKET,
  ],
  down: [
    'drop function if exists smart_whale_time_bucket(interval, timestamptz, text)',
    `drop table if exists ${IDEMPOTENCY_KEYS_TABLE}`,
    `drop table if exists ${INGEST_LEDGER_TABLE}`,
    'drop table if exists audit_log',
    'drop table if exists time_series_data',
  ],
}
