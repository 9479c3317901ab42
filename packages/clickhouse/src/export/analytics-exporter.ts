import { randomUUID } from 'node:crypto'
import { type Logger, silentLogger, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, DownloadOptions, QueryParams } from '../adapter-options.ts'
import { createAdapter } from '../create-adapter.ts'
import { EXPORT_FORMATS, refuseOwnFormat } from './export-formats.ts'
import type { AnalyticsExporter, AnalyticsExporterOptions, ExportFormat, ExportOptions, ExportStream } from './export-options.ts'
import { rowDetectorOf } from './rows-in-answer.ts'
import { writeAnswer } from './write-answer.ts'

/** Makes an {@link AnalyticsExporter} over an adapter; without one, over an adapter of its own, by the `CLICKHOUSE_*` variables. A read-only user will do. */
export function createAnalyticsExporter(adapter?: ClickHouseAdapter, options: AnalyticsExporterOptions = {}): AnalyticsExporter {
  if (adapter !== undefined) return new StreamingExporter(adapter, options)
  const own = createAdapter({}, { logger: options.logger })
  return new StreamingExporter(own, options, () => own.close())
}

class StreamingExporter implements AnalyticsExporter {
  readonly #adapter: ClickHouseAdapter
  readonly #timeoutMs: number
  readonly #logger: Logger
  readonly #closeAdapter: () => Promise<void>

  constructor(adapter: ClickHouseAdapter, { timeoutMs = 600_000, logger = silentLogger }: AnalyticsExporterOptions, closeAdapter = async (): Promise<void> => {}) {
    this.#adapter = adapter
    this.#timeoutMs = timeoutMs
    this.#logger = logger
    this.#closeAdapter = closeAdapter
  }

  exportToCsv(query: string, params: QueryParams | undefined, path: string, options?: ExportOptions): Promise<boolean> {
    return this.exportTo('csv', query, params, path, options)
  }

  exportToJsonl(query: string, params: QueryParams | undefined, path: string, options?: ExportOptions): Promise<boolean> {
    return this.exportTo('jsonl', query, params, path, options)
  }

  exportToParquet(query: string, params: QueryParams | undefined, path: string, options?: ExportOptions): Promise<boolean> {
    return this.exportTo('parquet', query, params, path, options)
  }

  exportToArrow(query: string, params: QueryParams | undefined, path: string, options?: ExportOptions): Promise<boolean> {
    return this.exportTo('arrow', query, params, path, options)
  }

  async exportTo(format: ExportFormat, query: string, params: QueryParams | undefined, path: string, options: ExportOptions = {}): Promise<boolean> {
    checkPath(path)
    refuseOwnFormat(query)
    const { onProgress = (): void => {} } = options
    const { body, queryId } = await this.#adapter.download(query, params, this.#downloadOptions(EXPORT_FORMATS[format].inFile, options))
    let bytes = 0
    const isWritten = await writeAnswer(body, path, rowDetectorOf(format), (written) => {
      bytes = written
      onProgress(written)
    })
    this.#logger.info({ format, path, bytes, queryId, written: isWritten }, isWritten ? 'an answer was exported' : 'an answer without rows was not exported')
    return isWritten
  }

  async streamAs(format: ExportFormat, query: string, params?: QueryParams, options: ExportOptions = {}): Promise<ExportStream> {
    refuseOwnFormat(query)
    const { inStream, contentType, extension } = EXPORT_FORMATS[format]
    const { body, queryId } = await this.#adapter.download(query, params, this.#downloadOptions(inStream, options))
    return { body: await begun(body), contentType, extension, queryId }
  }

  async close(): Promise<void> {
    await this.#closeAdapter()
  }

  #downloadOptions(format: string, { onProgress: _onProgress, ...options }: ExportOptions): DownloadOptions {
    return { ...options, queryId: options.queryId ?? randomUUID(), timeoutMs: options.timeoutMs ?? this.#timeoutMs, format }
  }
}

/** Waits for the first bytes, so that what fails before them fails here. */
async function begun(body: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const chunks = body[Symbol.asyncIterator]()
  let next: IteratorResult<Uint8Array> | undefined = await chunks.next()
  const iterator: AsyncIterator<Uint8Array> = {
    next: async () => {
      const first = next
      next = undefined
      return first ?? chunks.next()
    },
    return: async () => {
      await chunks.return?.()
      return { done: true, value: undefined }
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

function checkPath(path: string): void {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return
  throw new ValidationError('the path of an export must be a non-empty text', { issues: [{ path: ['path'], message: `must be a non-empty text, got ${typeof path}` }] })
}
