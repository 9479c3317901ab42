import type { CallOptions, Logger } from '@smart-whale/interfaces'
import type { QueryOptions, QueryParams } from '../adapter-options.ts'

/** Formats of an export. */
export type ExportFormat = 'csv' | 'jsonl' | 'parquet' | 'arrow'

/** What an {@link AnalyticsExporter} is made from. */
export interface AnalyticsExporterOptions {
  /** How long an export may take, in milliseconds. @default 600_000 */
  timeoutMs?: number | undefined
  /** Hears of each export. @default silentLogger */
  logger?: Logger | undefined
}

/** What a single export may be told. */
export interface ExportOptions extends CallOptions, Pick<QueryOptions, 'settings' | 'role' | 'tenant' | 'queryId' | 'stickTo' | 'pinTo'> {
  /** Hears how many bytes are written. @default nobody */
  onProgress?: ((bytes: number) => void) | undefined
}

/** An answer as a stream, for a response or a pipe. */
export interface ExportStream {
  /** The bytes; leaving the loop ends the query on the server, a failure half-way is thrown. */
  readonly body: AsyncIterable<Uint8Array>
  readonly contentType: string
  /** Ending of a file of this format, without the dot. */
  readonly extension: string
  readonly queryId: string
}

/** Writes answers to files and streams, in formats of ClickHouse's own, with bounded memory. */
export interface AnalyticsExporter {
  /** Comma-separated, with a header. True, or false for an answer without rows, which writes nothing. */
  exportToCsv(query: string, params: QueryParams | undefined, path: string, options?: ExportOptions): Promise<boolean>
  /** A JSON object a line. */
  exportToJsonl(query: string, params: QueryParams | undefined, path: string, options?: ExportOptions): Promise<boolean>
  /** Parquet. */
  exportToParquet(query: string, params: QueryParams | undefined, path: string, options?: ExportOptions): Promise<boolean>
  /** Arrow's file format. */
  exportToArrow(query: string, params: QueryParams | undefined, path: string, options?: ExportOptions): Promise<boolean>
  /** Whichever format is named. */
  exportTo(format: ExportFormat, query: string, params: QueryParams | undefined, path: string, options?: ExportOptions): Promise<boolean>
  /** The same as a stream: Arrow as its stream format. The first bytes are there when it resolves, so that a query that fails at once is an error and no broken answer. */
  streamAs(format: ExportFormat, query: string, params?: QueryParams, options?: ExportOptions): Promise<ExportStream>
  /** Closes an adapter that the exporter made itself. May be called twice. */
  close(): Promise<void>
}
