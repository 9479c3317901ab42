import type { ClickHouseAdapter } from '../adapter-options.ts'
import { createAnalyticsExporter } from '../export/analytics-exporter.ts'
import type { ExportFormat, ExportStream } from '../export/export-options.ts'
import type { AnalyticsServiceOptions } from './analytics-options.ts'
import type { AnalyticsQuestion } from './check-question.ts'

/** Asks the server for an answer in a format of its own. It goes by every cache: what is worth a stream is too large to be kept. */
export function streamAnswer(adapter: ClickHouseAdapter, question: AnalyticsQuestion, format: ExportFormat, { settings, logger }: AnalyticsServiceOptions): Promise<ExportStream> {
  const { query, params, signal, timeoutMs, role, tenant } = question
  return createAnalyticsExporter(adapter, { logger }).streamAs(format, query, params, { signal, timeoutMs, role, tenant, settings })
}

/** The same stream; what breaks it half-way is told in other words. */
export function tellingOtherwise(stream: ExportStream, inOtherWords: (error: unknown) => unknown): ExportStream {
  const body = async function* (): AsyncIterable<Uint8Array> {
    try {
      yield* stream.body
    } catch (error) {
      throw inOtherWords(error)
    }
  }
  return { ...stream, body: body() }
}
