/** From when on something is a finding. */
export interface DoctorThresholds {
  /** Active parts of one partition. @default 300 */
  partsOfPartition: number
  /** Partitions of one table. @default 1_000 */
  partitionsOfTable: number
  /** Rows of an average partition below which many partitions are too many. @default 100_000 */
  rowsOfPartition: number
  /** Age of a mutation that isn't done, in seconds. @default 3_600 */
  mutationAgeSeconds: number
  /** Size of a table that should not grow for ever, in bytes. @default 10 GiB */
  retentionBytes: number
  /** Size of a system log that should not grow for ever, in bytes. @default 100 MiB */
  systemLogBytes: number
  /** Rows of a table whose columns are looked at. @default 100_000 */
  rowsToLookAt: number
  /** Rows of a table that are read to look at its columns. @default 100_000 */
  sampleRows: number
  /** Different values up to which a text column should be `LowCardinality`. @default 10_000 */
  lowCardinalityValues: number
  /** Share of free space below which a disk is nearly full. @default 0.15 */
  freeDiskShare: number
  /** Share of the server's memory limit in use. @default 0.9 */
  usedMemoryShare: number
  /** Delay of a replica, in seconds. @default 300 */
  replicaDelaySeconds: number
  /** Logged queries of a table before they say something about it. @default 10 */
  loggedQueries: number
  /** Share of a table's granules that queries read on average, above which its key does not help them. @default 0.5 */
  granulesReadShare: number
  /** Rows of an average insert below which there are too many inserts. @default 1_000 */
  rowsOfInsert: number
  /** How far back the query log is read, in hours. @default 168 */
  logHours: number
}

/** What counts when nothing else is said. */
export const DEFAULT_THRESHOLDS: DoctorThresholds = {
  partsOfPartition: 300,
  partitionsOfTable: 1000,
  rowsOfPartition: 100_000,
  mutationAgeSeconds: 3600,
  retentionBytes: 10 * 1024 ** 3,
  systemLogBytes: 100 * 1024 ** 2,
  rowsToLookAt: 100_000,
  sampleRows: 100_000,
  lowCardinalityValues: 10_000,
  freeDiskShare: 0.15,
  usedMemoryShare: 0.9,
  replicaDelaySeconds: 300,
  loggedQueries: 10,
  granulesReadShare: 0.5,
  rowsOfInsert: 1000,
  logHours: 168,
}
