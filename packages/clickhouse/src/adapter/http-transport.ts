import type { Readable } from 'node:stream'
import { type Dispatcher, Pool } from 'undici'
import { tenantHeader } from '../access/tenant-header.ts'
import type { ConnectionParams } from '../clickhouse-config.ts'
import { type FailedQuery, isServerException, mapForeignAnswer, mapNetworkError, mapServerError, poolExhausted } from '../map-error.ts'
import { AnswerHandler, type AnswerReader, MAX_ERROR_BYTES } from './whole-answer.ts'

/** Sizes and times of the sockets. */
export interface TransportOptions {
  /** How long the connection may take, in milliseconds. */
  connectTimeoutMs: number
  /** Sockets at most. */
  maxConnections: number
  /** Calls that may wait for a socket. */
  maxQueuedRequests: number
  /** How long an idle socket is kept, in milliseconds; less if the server says so. */
  keepAliveMs: number
}

/** What a request carries. */
interface RequestContent {
  /** Search parameters: settings, bound parameters, the query of an insert. */
  readonly search: Readonly<Record<string, string>>
  /** The query, or the rows of an insert. */
  readonly body: string | Uint8Array
  /** What the body is, where the server has to be told. */
  readonly contentType?: string | undefined
  /** Whose rows it may read; see {@link TENANT_HEADER}. */
  readonly tenant?: string | undefined
  readonly queryId: string
}

/** A request whose answer is read as it comes. */
export interface ServerRequest extends RequestContent {
  readonly signal: AbortSignal
}

/** A request whose answer is waited for. */
export interface WholeRequest extends RequestContent {
  readonly ending: Ending
}

/** How a request hears that nobody waits for it any more. */
export interface Ending {
  /** Made when it is read, which costs as much as to encode and read a short query: our own sockets do without. */
  readonly signal: AbortSignal
  /** Calls back once it ends early, at once if it has; one listener, the latest. */
  onEnd(listener: (reason: Error) => void): void
}

/** Headers of an answer, their names in small letters. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>

/** An answer that ClickHouse began to give. */
export interface ServerAnswer {
  readonly headers: AnswerHeaders
  readonly body: AnswerBody
}

/** The bytes of an answer, read once. What came before it was broken off is read first. */
export interface AnswerBody extends AsyncIterable<Buffer> {
  /** Nobody reads it, or reads on. */
  destroy(): void
}

/** What a server's sockets are doing. */
export interface SocketStats {
  /** Sockets that are open. */
  readonly open: number
  /** Open ones that nobody uses. */
  readonly idle: number
  /** Requests that wait for a socket. */
  readonly waiting: number
}

/** Takes requests to a server. */
export interface ServerTransport {
  /** Host and port. */
  readonly server: string
  readonly stats: SocketStats
  /** Sends a request and waits until its answer begins. @throws ClickHouseBaseError when the server refuses or can't be reached */
  send(request: ServerRequest): Promise<ServerAnswer>
  /** Sends a request and answers what the reader makes of its whole answer. @throws ClickHouseBaseError when the server refuses or can't be reached, and what the reader throws */
  ask<R>(request: WholeRequest, reader: AnswerReader<R>): Promise<R>
  /** Breaks off what runs. */
  close(): Promise<void>
}

/**
 * How much of an answer is read before somebody asks for it: as good as nothing. When the server breaks the connection behind an exception, a stream drops what it
 * has read ahead, and with it the exception; what is still in the socket is read to its end first.
 */
const READ_AHEAD_BYTES = 1

/**
 * HTTP to one server. Directly on undici: the stock client sleeps for a millisecond before each request,
 * to dodge sockets that the server has just closed; here a broken socket is a retryable error instead.
 */
export class HttpTransport implements ServerTransport {
  readonly server: string
  readonly #pool: Pool
  readonly #headers: Readonly<Record<string, string>>
  readonly #maxQueued: number

  constructor(connection: ConnectionParams, options: TransportOptions) {
    this.server = `${connection.host}:${connection.port}`
    this.#maxQueued = options.maxQueuedRequests
    this.#headers = { authorization: `Basic ${Buffer.from(`${connection.user}:${connection.password}`).toString('base64')}`, 'x-clickhouse-database': connection.database }
    this.#pool = new Pool(connection.url, {
      connections: options.maxConnections,
      pipelining: 1,
      connect: { timeout: options.connectTimeoutMs },
      keepAliveTimeout: options.keepAliveMs,
      // Else what the server says counts in place of ours, also where it is longer.
      keepAliveMaxTimeout: options.keepAliveMs,
      // Deadlines are the caller's: every request has a signal.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  get stats(): SocketStats {
    const { connected = 0, free = 0, queued = 0 } = this.#pool.stats
    return { open: connected, idle: free, waiting: queued }
  }

  /** Sends a request and waits until its answer begins. @throws ClickHouseBaseError when the server refuses or can't be reached */
  async send({ signal, ...content }: ServerRequest): Promise<ServerAnswer> {
    const query: FailedQuery = { server: this.server, queryId: content.queryId }
    const request = this.#requestOf(content, query)
    try {
      const answer = await this.#pool.request({ ...request, signal, highWaterMark: READ_AHEAD_BYTES })
      // Whoever reads the body hears of its end; one that is dropped must not bring the process down.
      answer.body.on('error', () => {})
      if (answer.statusCode === 200) return { headers: answer.headers, body: answer.body }
      throw refusedBy(answer.statusCode, answer.headers, await textOf(answer.body), query, request.path)
    } catch (error) {
      throw signal.aborted || isOurs(error) ? error : mapNetworkError(error, query)
    }
  }

  /** Sends a request and answers what the reader makes of its whole answer. @throws ClickHouseBaseError when the server refuses or can't be reached, and what the reader throws */
  async ask<R>({ ending, ...content }: WholeRequest, reader: AnswerReader<R>): Promise<R> {
    const query: FailedQuery = { server: this.server, queryId: content.queryId }
    const request = this.#requestOf(content, query)
    return new Promise((resolve, reject) => {
      const handler = new AnswerHandler(reader, (status, headers, text) => refusedBy(status, headers, text, query, request.path), resolve, reject)
      ending.onEnd((reason) => handler.giveUp(reason))
      this.#pool.dispatch(request, handler)
    })
  }

  #requestOf({ search, body, contentType, tenant, queryId }: RequestContent, query: FailedQuery): Dispatcher.DispatchOptions {
    const { queued = 0 } = this.#pool.stats
    if (queued >= this.#maxQueued) throw poolExhausted(queued, query)
    const isPlain = contentType === undefined && tenant === undefined
    const headers = isPlain ? this.#headers : { ...this.#headers, ...(contentType === undefined ? {} : { 'content-type': contentType }), ...tenantHeader(tenant) }
    return { method: 'POST', path: pathOf(search, queryId), headers, body }
  }

  /** Closes every socket; requests that run are broken off. */
  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

/** Whether an error says itself what is to be thought of it. */
export function isOurs(error: unknown): boolean {
  return typeof (error as { retryable?: unknown }).retryable === 'boolean'
}

/** Written by hand: `URLSearchParams` takes longer than all else that is done before a request is sent. */
function pathOf(search: Readonly<Record<string, string>>, queryId: string): string {
  let path = '/?'
  for (const name in search) path += `${encodeURIComponent(name)}=${encodeURIComponent((search[name] as string).toWellFormed())}&`
  return `${path}query_id=${encodeURIComponent(queryId.toWellFormed())}`
}

function refusedBy(status: number, headers: AnswerHeaders, text: string, query: FailedQuery, path: string): Error {
  return headers['x-clickhouse-exception-code'] === undefined && !isServerException(text) ? mapForeignAnswer(status, query, path.length) : mapServerError(text, query)
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MAX_ERROR_BYTES) break
  }
  return Buffer.concat(chunks).toString('utf8')
}
