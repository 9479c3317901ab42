import type { Migration } from './migration.ts'

/** A hypertable where the server has TimescaleDB, native partitions elsewhere. */
export const v003Partitioning: Migration = {
  id: 'v003_partitioning',
  description: 'time_series_data partitioned by week',
  up: [
    {
      name: 'partition time_series_data by "timestamp", 7 days each',
      revision: 1,
      run: ({ partitions, transaction, signal }) =>
        partitions.partitionWithin(transaction, 'time_series_data', 'timestamp', { chunkInterval: '7 days', signal }),
    },
  ],
  down: [
    'create table time_series_data_whole (like time_series_data including defaults including constraints including storage)',
    'insert into time_series_data_whole select * from time_series_data',
    'drop table time_series_data',
    'alter table time_series_data_whole rename to time_series_data',
    'alter table time_series_data add constraint time_series_data_pkey primary key (id, "timestamp")',
    'create index time_series_data_timestamp_idx on time_series_data ("timestamp" desc)',
    'create index time_series_data_metadata_idx on time_series_data using gin (metadata jsonb_path_ops)',
  ],
}
