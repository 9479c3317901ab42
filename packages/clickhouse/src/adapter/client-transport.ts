import { Readable } from 'node:stream'
import { ValidationError } from '@smart-whale/interfaces'
import { tenantHeader } from '../access/tenant-header.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { type FailedQuery, mapNetworkError, mapServerError } from '../map-error.ts'
import { ClientAnswer, type ContentEncoding, isContentEncoding } from './client-answer.ts'
import { type AnswerHeaders, isOurs, type ServerAnswer, type ServerRequest, type ServerTransport, type SocketStats, type WholeRequest } from './http-transport.ts'
import { type AnswerReader, readWhole } from './whole-answer.ts'

/** As much of `@clickhouse/client` as is used: what its `createClient` returns is one. */
export interface StockClient {
  /** Sends a statement and gives its answer as it comes. */
  exec(request: {
    query: string
    values?: Readable
    query_id?: string
    role?: string
    abort_signal?: AbortSignal
    clickhouse_settings?: Record<string, string>
    decompress_response_stream?: boolean
    http_headers?: Record<string, string>
  }): Promise<{ readonly stream: Readable; readonly response_headers: Readonly<Record<string, string | string[] | undefined>> }>
}

/**
 * Sends requests through a stock client: for installations that have one set up in their own way, with proxies, agents or tracing. Slower than our own
 * sockets, since it waits before each request. Whoever made the client closes it.
 */
export class ClientTransport implements ServerTransport {
  readonly server: string
  readonly #client: StockClient

  /** @param server host and port that the client speaks to, for messages */
  constructor(client: StockClient, server: string) {
    this.#client = client
    this.server = server
  }

  /** The client doesn't tell. */
  get stats(): SocketStats {
    return { open: 0, idle: 0, waiting: 0 }
  }

  async send({ search, body, contentType, tenant, queryId, signal }: ServerRequest): Promise<ServerAnswer> {
    const failed: FailedQuery = { server: this.server, queryId }
    if (contentType !== undefined) throw unsupported()
    const { query, role, ...settings } = search
    // An insert's statement stands in the address, and its rows in the body; anything else is its own body.
    const statement = query === undefined ? { query: String(body) } : { query, values: Readable.from([Buffer.from(body)], { objectMode: false }) }
    try {
      const call = { query_id: queryId, abort_signal: signal, clickhouse_settings: settings, decompress_response_stream: false, http_headers: tenantHeader(tenant), ...(role === undefined ? {} : { role }) }
      const { stream, response_headers: headers } = await this.#client.exec({ ...statement, ...call })
      return { headers, body: new ClientAnswer(stream, encodingOf(headers, failed), signal) }
    } catch (error) {
      throw signal.aborted || isOurs(error) ? error : mapClientError(error, failed)
    }
  }

  async ask<R>({ ending, ...content }: WholeRequest, reader: AnswerReader<R>): Promise<R> {
    const { headers, body } = await this.send({ ...content, signal: ending.signal })
    return readWhole(headers, body, reader)
  }

  async close(): Promise<void> {}
}

function encodingOf({ 'content-encoding': encoding }: AnswerHeaders, query: FailedQuery): ContentEncoding | undefined {
  if (encoding === undefined) return undefined
  const name = String(encoding)
  if (isContentEncoding(name)) return name
  throw mapNetworkError({ message: `the answer is compressed by ${name}; let the client ask for gzip, br or zstd` }, query)
}

/** The client takes the server's exception apart; ours is made of the whole. */
function mapClientError(error: unknown, query: FailedQuery): Error {
  const { code, type, message } = error as { code?: string; type?: string; message?: string }
  if (code !== undefined && /^\d+$/.test(code)) return mapServerError(`Code: ${code}. DB::Exception: ${message ?? ''}${type === undefined ? '' : ` (${type})`}`, query)
  return mapNetworkError(/time(?:d )?out/i.test(message ?? '') && code === undefined ? { code: 'ETIMEDOUT', message } : error, query)
}

function unsupported(): ValidationError<ClickHouseErrorCode> {
  const message = 'can not be sent through a stock client; leave `client` out, so that the adapter uses its own sockets'
  return new ValidationError(`a query's own table ${message}`, { code: 'ERR_CLICKHOUSE_UNSUPPORTED', issues: [{ path: ['external'], message }] })
}
