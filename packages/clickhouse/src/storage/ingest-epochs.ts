import { quoteTableName } from '../adapter/table-columns.ts'

/** Where the turns of writers are kept unless told otherwise: in the adapter's database. */
export const INGEST_EPOCHS_TABLE = 'smart_whale_ingest_epochs'

/** How the table of turns is made. */
export interface IngestEpochsOptions {
  /** Name, with or without its database. @default 'smart_whale_ingest_epochs' */
  table?: string | undefined
  /** Cluster on whose servers it is made, each with a replica of one table. @default one server */
  cluster?: string | undefined
}

/**
 * The statement that makes the table of turns; repeatable. It gains a row a claim and a row a repeated slice, and is read in one piece
 * when an insert begins. Each row is on the disk before it counts: a turn that a power failure took back would let a former owner in.
 *
 * On a cluster the user's profile needs `insert_quorum = 'auto'`, `insert_quorum_parallel = 0` and `select_sequential_consistency = 1`,
 * so that every replica sees a turn before anybody acts on it.
 */
export function ingestEpochsDefinition(options: IngestEpochsOptions = {}): string {
  const { table = INGEST_EPOCHS_TABLE, cluster } = options
  const [onCluster, engine] = cluster === undefined ? ['', 'MergeTree'] : [` ON CLUSTER '${cluster.replace(/[\\']/g, '\\$&')}'`, "ReplicatedMergeTree('/clickhouse/tables/{database}/{table}', '{replica}')"]
  return `CREATE TABLE IF NOT EXISTS ${quoteTableName(table)}${onCluster} (
  target String,
  pipeline String,
  topic_id String,
  \`partition\` Int32,
  epoch UInt64,
  attempt UInt32,
  owner String,
  holder String,
  taken_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ${engine} ORDER BY (target, pipeline, topic_id, \`partition\`, epoch, attempt)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`
}
