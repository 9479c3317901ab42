import type { CallOptions } from './storage.ts'
import type { SliceSource } from './batch-writer.ts'

/** Rows of one partition that a store holds of a topic. */
export interface StoredPartition {
  readonly partition: number
  readonly rows: bigint
  readonly firstOffset: bigint
  readonly lastOffset: bigint
}

/** A column whose content is compared, and how its text is to be understood. */
export interface ComparedColumn {
  readonly name: string
  readonly kind: 'string' | 'int32' | 'int64' | 'float64' | 'decimal' | 'boolean' | 'timestamp' | 'date' | 'uuid' | 'json'
}

/** A row by where it came from; its values are texts in the order of the columns that were asked for. */
export interface StoredRow {
  readonly offset: bigint
  /** Timestamps are milliseconds since 1970; everything else is the store's own text. */
  readonly values: readonly (string | null)[]
}

/** Looks up, by where rows came from, what a table of the ingest path holds: to compare it with what it should hold. */
export interface StoredRows {
  /** Offsets of the range (both ends included), ascending, one entry a stored row. */
  storedOffsets(source: SliceSource, options?: CallOptions): Promise<readonly bigint[]>
  /** Every partition of the topic that there are rows of, in order. */
  storedPartitions(topic: string, options?: CallOptions): Promise<readonly StoredPartition[]>
  /** Rows of the range (both ends included) by offset, ascending. */
  readStored(source: SliceSource, columns: readonly ComparedColumn[], options?: CallOptions): Promise<readonly StoredRow[]>
}
