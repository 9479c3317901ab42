import type { RecordRefusal } from './event-refusal.ts'
import type { EventContext, IngestRow, PipelineSink } from './event-types.ts'

/** When a slice is cut: whichever bound is reached first. */
export interface SliceLimits {
  /** Most records of one slice. @default 20000 */
  maxRows: number
  /** Most bytes of message values in one slice, and half of the process's `SliceBudget` at most; a larger single message is a slice of its own. @default 4194304 */
  maxBytes: number
  /** How long a record may wait for others. @default 250 */
  maxAgeMs: number
}

/** Where the version of an event is written. */
export interface VersionSource {
  /** Name of the record's header; null when a field has it. */
  readonly header: string | null
  /** Name of the event's field; null when a header has it. */
  readonly field: string | null
  /** The version of an event that names none; null when such an event is refused. */
  readonly absent: string | null
}

/** How the events of one version look. */
export interface EventVersion {
  /** '' in a pipeline without versions. */
  readonly name: string
  /** Field name, as producers write it, to type. Fields that an event has beyond these are left out, and counted. */
  readonly fields: Readonly<Record<string, string>>
  /** Name in the event to name behind it. */
  readonly rename: Readonly<Record<string, string>>
  /** Makes of it an event of the newest version; null when it is one. */
  readonly upgrade: RowTransform | null
}

/** What becomes of a row: a row, null when it is left out on purpose, or why it can't be. Compiled from steps or from a function; never throws. */
export type RowTransform = (row: IngestRow, context: EventContext) => IngestRow | null | RecordRefusal

/** Which stores a row goes to; none leaves it out. Never throws. */
export type RowRoute = (row: IngestRow, context: EventContext) => readonly PipelineSink[] | RecordRefusal

/** Choices for a ClickHouse table that the pipeline makes; one that is there stays as it is. */
export interface ClickHouseChoices {
  /** Columns that the table is sorted by, before where a row came from. */
  readonly orderBy: readonly string[]
  /** Span of time whose rows lie together, and can be dropped together. */
  readonly partitionBy: 'none' | 'day' | 'week' | 'month' | 'year'
  /** Days after which a row is deleted by its time; null keeps it. */
  readonly ttlDays: number | null
}

/** One stream: a topic, what its events look like, what is made of them, and where they go. */
export interface PipelineDefinition {
  /** Names the pipeline in the ledger, logs and metrics; renaming it starts over. */
  readonly name: string
  readonly topic: string
  /** At least one; the last is the newest. */
  readonly versions: readonly EventVersion[]
  /** Null in a pipeline without versions. */
  readonly versionFrom: VersionSource | null
  /** Fields of the newest version; see {@link EventVersion.fields}. */
  readonly fields: Readonly<Record<string, string>>
  /** Column name to type, in order: what the tables have, besides {@link RESERVED_COLUMNS}. */
  readonly columns: Readonly<Record<string, string>>
  /** Null when the newest event is the row. */
  readonly transform: RowTransform | null
  /** Null when every row goes to all sinks. */
  readonly route: RowRoute | null
  /** The `timestamp` column that time-series queries go by. */
  readonly time: string
  /** The column that identifies an event; without it, the event's position in the topic does. */
  readonly id: string | null
  /** The field of the event whose value decides the partition, so that its events stay in order. */
  readonly key: string | null
  /** Name of the table, in each store that {@link tables} doesn't name another for. */
  readonly table: string
  readonly tables: Readonly<Record<PipelineSink, string>>
  readonly sinks: readonly PipelineSink[]
  /** Partitions of the topic when it is made. */
  readonly partitions: number
  readonly limits: SliceLimits
  readonly clickhouse: ClickHouseChoices
  /** Differs when what is made of events, or where it goes, may differ. What a store has a part of is finished under the same one only. */
  readonly fingerprint: string
}

/** Columns of every table of the ingest path: where a row came from. */
export const RESERVED_COLUMNS = ['event_id', 'source_topic', 'source_partition', 'source_offset'] as const
