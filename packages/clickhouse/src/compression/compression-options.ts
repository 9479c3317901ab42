import type { CallOptions, Logger } from '@smart-whale/interfaces'
import type { OptimizeOptions, OptimizeReport } from '../lifecycle/lifecycle-options.ts'

/** What a {@link DataCompressor} is made from. */
export interface DataCompressorOptions {
  /** Rows of a column that codecs are measured on. @default 200_000 */
  sampleRows?: number | undefined
  /** Share of a column's bytes that another codec has to save before it is advised, 0 to 1. @default 0.1 */
  minSaving?: number | undefined
  /** How long one statement may take, in milliseconds. @default 600_000 */
  timeoutMs?: number | undefined
  /** Hears of what was merged. @default silentLogger */
  logger?: Logger | undefined
}

/** What one codec made of the sample. */
export interface CodecMeasurement {
  /** As it stands in `CODEC(…)`. */
  readonly codec: string
  readonly compressedBytes: bigint
  /** Time to read the whole sample, the least of several. */
  readonly readMs: number
}

/** What codec would suit a column. */
export interface CodecAdvice {
  readonly column: string
  readonly type: string
  readonly currentCodec: string
  readonly current: CodecMeasurement
  readonly best: CodecMeasurement
  readonly measured: readonly CodecMeasurement[]
  /** Share of the column's bytes that goes, 0 to 1. */
  readonly saving: number
  /** Null when the column is best left as it is. */
  readonly statement: string | null
  readonly reason: string
}

/** What a table takes on disk, by column. */
export interface StorageStats {
  readonly table: string
  readonly rows: bigint
  readonly parts: number
  readonly compressedBytes: bigint
  readonly uncompressedBytes: bigint
  readonly compressionRatio: number
  /** Of small parts, which hold their columns together, the server doesn't tell these sizes: they count as 0. */
  readonly columns: readonly { readonly name: string; readonly type: string; readonly codec: string; readonly compressedBytes: bigint; readonly uncompressedBytes: bigint; readonly compressionRatio: number }[]
}

/** Makes tables smaller, and tells how they could be. */
export interface DataCompressor {
  /** Merges a table's parts, with the codecs that its columns have now. */
  optimizeTable(table: string, options?: OptimizeOptions): Promise<OptimizeReport>
  /** Rewrites the partition that a part lies in, so that the codecs of today hold for it. */
  compressPart(table: string, part: string, options?: CallOptions): Promise<OptimizeReport>
  /** What a table takes on disk, by column. */
  getStorageStats(table: string, options?: CallOptions): Promise<StorageStats>
  /** Merges every table of the database but those excluded; one that fails doesn't end the rest. */
  optimizeAllTables(exclude?: readonly string[], options?: OptimizeOptions): Promise<{ readonly optimized: readonly OptimizeReport[]; readonly failed: readonly { readonly table: string; readonly error: Error }[] }>
  /** Measures candidate codecs on a sample of each column, or of those named. */
  adviseCodecs(table: string, columns?: readonly string[], options?: CallOptions): Promise<CodecAdvice[]>
  /** Closes an adapter that the compressor made itself. May be called twice. */
  close(): Promise<void>
}
