import { IDEMPOTENCY_KEYS_TABLE } from '../time-series/idempotency-keys.ts'
import type { Migration } from './migration.ts'

/** What reads by time, by metadata and by actor go by. */
export const v002AddIndexes: Migration = {
  id: 'v002_add_indexes',
  description: 'indexes for reads by time, metadata and actor',
  up: [
    'create index if not exists time_series_data_timestamp_idx on time_series_data ("timestamp" desc)',
    'create index if not exists time_series_data_metadata_idx on time_series_data using gin (metadata jsonb_path_ops)',
    'create index if not exists audit_log_logged_at_idx on audit_log (logged_at desc)',
    'create index if not exists audit_log_actor_idx on audit_log (actor, logged_at desc)',
    `create index if not exists ${IDEMPOTENCY_KEYS_TABLE}_expires_at_idx on ${IDEMPOTENCY_KEYS_TABLE} (expires_at)`,
  ],
  down: [
    `drop index if exists ${IDEMPOTENCY_KEYS_TABLE}_expires_at_idx`,
    'drop index if exists audit_log_actor_idx',
    'drop index if exists audit_log_logged_at_idx',
    'drop index if exists time_series_data_metadata_idx',
    'drop index if exists time_series_data_timestamp_idx',
  ],
}
