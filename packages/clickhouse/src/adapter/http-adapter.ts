import { randomUUID } from 'node:crypto'
import { abortedError, type CallOptions, type Clock, type HealthResult, InfrastructureError, type Logger, type MetricsSink, type Policy, type Row, silentLogger, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { compose, createBreaker, createRetry, withDeadline } from '@smart-whale/core-resilience'
import type {
  ClickHouseAdapter,
  ColumnDescription,
  DownloadOptions,
  DownloadResult,
  ExecuteManyOptions,
  InsertOptions,
  InsertResult,
  QueryOptions,
  QueryParams,
  QueryResult,
} from '../adapter-options.ts'
import { ClickHouseConfig, type ClickHouseOptions } from '../clickhouse-config.ts'
import { QueryCancellationError, QueryError, QueryExecutionTimeoutError } from '../errors.ts'
import type { FailedQuery } from '../map-error.ts'
import { OperationalError } from '../operational-errors.ts'
import { type BoundQuery, bindParameters } from '../parameters/bind-parameters.ts'
import { refuseServerFiles } from '../parameters/refuse-server-files.ts'
import { HttpTransport, type ServerAnswer } from './http-transport.ts'
import { encodeInsert } from './insert-format.ts'
import { answerBytes, answerRows } from './read-answer.ts'
import { runBounded } from './run-bounded.ts'
import { statisticsOf } from './statistics.ts'
import { TableColumns } from './table-columns.ts'
import { ABILITIES_QUERY, abilitiesOf, insertSettings, readSettings, type UserAbilities } from './user-settings.ts'

/** What an adapter works with besides its configuration. */
export interface AdapterOptions {
  /** Hears of queries that had to be killed. @default silentLogger */
  logger?: Logger | undefined
  /** Where retries and the breaker's state are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Replaces retry and breaker for reads, and for inserts with a token. @default retry with budget around a breaker */
  policy?: Policy | undefined
}

/** How long the server may take to end a query that nobody waits for any more. */
const KILL_TIMEOUT_MS = 2000

/** The {@link ClickHouseAdapter} over HTTP. */
export class HttpAdapter implements ClickHouseAdapter {
  readonly server: string
  readonly database: string
  readonly #config: ClickHouseConfig
  readonly #transport: HttpTransport
  readonly #policy: Policy
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #columns: TableColumns
  readonly #closing = new AbortController()
  readonly #kills = new Set<Promise<void>>()
  #abilities: Promise<UserAbilities> | null = null

  constructor(config: ClickHouseConfig, options: AdapterOptions = {}) {
    const { logger = silentLogger, metrics = silentMetrics, clock = systemClock } = options
    const connection = config.getConnectionParams()
    this.#config = config
    this.#transport = new HttpTransport(connection, config.getTransportConfig())
    this.server = `${this.#transport.server}/${connection.database}`
    this.database = connection.database
    this.#clock = clock
    this.#logger = logger
    this.#policy = options.policy ?? defaultPolicy(config, this.#transport.server, metrics, clock)
    this.#columns = new TableColumns(this)
  }

  async connect(options: CallOptions = {}): Promise<void> {
    await this.#abilitiesOnce(options)
  }

  async execute<T extends Row = Row>(query: string, params?: QueryParams, options: QueryOptions = {}): Promise<QueryResult<T>> {
    const bound = bindParameters(query, params ?? {})
    const { maySet } = await this.#abilitiesOnce(options)
    if (!maySet) refuseServerFiles(query, params)
    const once = (signal: AbortSignal): Promise<QueryResult<T>> => this.#executeOnce(bound, { maySet }, options, signal)
    // A statement that changes something may have done so before the connection broke: only reads are sent again.
    return options.retry === false || !isRead(query) ? this.#bounded('query', options, once) : this.#policy.execute(({ signal }) => this.#bounded('query', { ...options, signal }, once), { signal: options.signal })
  }

  async executeMany<T extends Row = Row>(queries: readonly (string | readonly [query: string, params: QueryParams])[], options: ExecuteManyOptions = {}): Promise<QueryResult<T>[]> {
    const { concurrency = 4, ...each } = options
    return runBounded(queries, concurrency, options.signal, (entry, signal) => {
      const [query, params] = typeof entry === 'string' ? [entry, {}] : entry
      return this.execute<T>(query, params, { ...each, signal })
    })
  }

  async *stream<T extends Row = Row>(query: string, params?: QueryParams, options: QueryOptions = {}): AsyncIterable<T> {
    for await (const rows of this.#streamed(query, params, options, 'RowBinaryWithNamesAndTypes', (answer, failed) => answerRows<T>(answer, failed))) yield* rows
  }

  async download(query: string, params: QueryParams | undefined, options: DownloadOptions): Promise<DownloadResult> {
    const queryId = options.queryId ?? randomUUID()
    const body = this.#streamed(query, params, { ...options, queryId }, options.format, answerBytes)
    return { body, contentType: contentTypeOf(options.format), queryId }
  }

  async insert(table: string, rows: readonly Row[], options: InsertOptions = {}): Promise<InsertResult> {
    const queryId = options.queryId ?? randomUUID()
    if (rows.length === 0) return { rows: 0, queryId }
    try {
      return await this.#insert(table, rows, { ...options, queryId })
    } catch (error) {
      // Whatever was wrong, the table may have changed, also when it was the encoder that refused: the next insert looks at its columns again.
      this.#columns.forget(table)
      throw error
    }
  }

  async healthCheck(options: CallOptions = {}): Promise<HealthResult> {
    const begin = this.#clock.monotonic()
    try {
      const { rows } = await this.execute('SELECT version() AS version', {}, { timeoutMs: 2000, ...options, retry: false })
      return { status: 'up', data: { version: String(rows[0]?.version), latencyMs: Math.round(this.#clock.monotonic() - begin) } }
    } catch (error) {
      return { status: 'down', detail: InfrastructureError.isInstance(error) ? error.code : 'ERR_CLICKHOUSE_CONNECTION' }
    }
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort()
    await Promise.allSettled([...this.#kills])
    await this.#transport.close()
  }

  async #insert(table: string, rows: readonly Row[], options: InsertOptions & { queryId: string }): Promise<InsertResult> {
    const { queryId, token, signal: caller } = options
    const { statement, body } = encodeInsert(table, await this.#columns.of(table, caller), rows)
    const attempt = async (signal: AbortSignal, id: string): Promise<InsertResult> => {
      const search = { query: statement, ...insertSettings(this.#timeoutOf(options), token, options.settings) }
      const answer = await this.#transport.send({ search, body, queryId: id, signal })
      for await (const chunk of answerBytes(answer, { server: this.#transport.server, queryId: id })) void chunk
      return { rows: rows.length, queryId: id }
    }
    if (token === undefined) return this.#bounded('insert', options, (signal) => attempt(signal, queryId))
    let attempts = 0
    return this.#policy.execute(({ signal }) => {
      const id = attempts++ === 0 ? queryId : `${queryId}-${attempts}`
      return this.#bounded('insert', { ...options, queryId: id, signal }, (inner) => attempt(inner, id))
    }, { signal: caller })
  }

  async #executeOnce<T extends Row>(bound: BoundQuery, abilities: UserAbilities, options: QueryOptions, signal: AbortSignal): Promise<QueryResult<T>> {
    const queryId = options.queryId ?? randomUUID()
    const failed = { server: this.#transport.server, queryId }
    const search = { ...readSettings(abilities, this.#timeoutOf(options), options.settings), ...bound.parameters, ...roleOf(options), default_format: 'RowBinaryWithNamesAndTypes', wait_end_of_query: '1' }
    const answer = await this.#killedWith(signal, queryId, () => this.#transport.send({ search, body: bound.query, queryId, signal }))
    let columns: readonly ColumnDescription[] = []
    const rows: T[] = []
    refuseOtherFormat(answer, failed)
    for await (const batch of answerRows<T>(answer, failed, (found) => (columns = found))) for (const row of batch) rows.push(row)
    return { rows, columns, statistics: statisticsOf(answer.headers), queryId }
  }

  async *#streamed<R>(query: string, params: QueryParams | undefined, options: QueryOptions, format: string, read: (answer: ServerAnswer, failed: FailedQuery) => AsyncIterable<R>): AsyncIterable<R> {
    const bound = bindParameters(query, params ?? {})
    const abilities = await this.#abilitiesOnce(options)
    if (!abilities.maySet) refuseServerFiles(query, params)
    const queryId = options.queryId ?? randomUUID()
    const timeoutMs = this.#timeoutOf(options)
    const ended = new AbortController()
    const timer = this.#clock.setTimeout(() => ended.abort(timeoutError(timeoutMs, queryId)), timeoutMs)
    const signal = AbortSignal.any([ended.signal, this.#closing.signal, ...(options.signal ? [options.signal] : [])])
    let finished = false
    try {
      const search = { ...readSettings(abilities, timeoutMs, options.settings), ...bound.parameters, ...roleOf(options), default_format: format }
      const answer = await this.#transport.send({ search, body: bound.query, queryId, signal })
      yield* read(answer, { server: this.#transport.server, queryId })
      finished = true
    } catch (error) {
      finished = !signal.aborted
      throw this.#explainAbort(error, options.signal, ended.signal.reason)
    } finally {
      this.#clock.clearTimeout(timer)
      ended.abort()
      if (!finished) this.#kill(queryId)
    }
  }

  /** Runs one attempt under its deadline; whatever ends it early ends it on the server too. */
  async #bounded<T>(what: string, options: QueryOptions | InsertOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closing.signal.aborted) throw closedError(this.#transport.server)
    const timeoutMs = this.#timeoutOf(options)
    const signal = options.signal === undefined ? this.#closing.signal : AbortSignal.any([options.signal, this.#closing.signal])
    try {
      return await withDeadline(({ signal: inner }) => work(inner), { timeoutMs, signal, what: `a ClickHouse ${what}`, clock: this.#clock })
    } catch (error) {
      throw this.#explainAbort(error, options.signal, timeoutError(timeoutMs, options.queryId))
    }
  }

  #explainAbort(error: unknown, caller: AbortSignal | undefined, deadline: unknown): unknown {
    if (this.#closing.signal.aborted) return closedError(this.#transport.server)
    const { code, name } = error as { code?: string; name?: string }
    if (caller?.aborted && (name === 'AbortError' || code === 'ERR_ABORTED' || error === caller.reason)) return new QueryCancellationError('the query was aborted by its caller', { code: 'ERR_ABORTED', cause: caller.reason })
    return code === 'ERR_TIMEOUT' || name === 'AbortError' ? deadline : error
  }

  async #killedWith<T>(signal: AbortSignal, queryId: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (signal.aborted) this.#kill(queryId)
      throw error
    }
  }

  /** Ends a query on the server that nobody waits for; in the background, within its own deadline. */
  #kill(queryId: string): void {
    const kill = this.#transport
      .send({ search: { param_id: queryId }, body: 'KILL QUERY WHERE query_id = {id:String} ASYNC', queryId: randomUUID(), signal: AbortSignal.timeout(KILL_TIMEOUT_MS) })
      .then(async ({ body }) => void (await body.toArray()))
      .catch((error: unknown) => this.#logger.debug({ err: error, queryId }, 'a query could not be killed; the server ends it at its deadline'))
      .finally(() => this.#kills.delete(kill))
    this.#kills.add(kill)
  }

  #abilitiesOnce(options: CallOptions): Promise<UserAbilities> {
    if (this.#closing.signal.aborted) return Promise.reject(closedError(this.#transport.server))
    this.#abilities ??= this.#askAbilities().catch((error: unknown) => {
      this.#abilities = null
      throw error
    })
    return options.signal?.aborted ? Promise.reject(abortedError('the query', options.signal)) : this.#abilities
  }

  async #askAbilities(): Promise<UserAbilities> {
    const bound = bindParameters(ABILITIES_QUERY)
    const ask = (signal: AbortSignal): Promise<QueryResult> => this.#executeOnce(bound, { maySet: false }, {}, signal)
    const { rows } = await this.#policy.execute(({ signal }) => this.#bounded('connection test', { signal, timeoutMs: this.#config.getTransportConfig().connectTimeoutMs }, ask))
    return abilitiesOf(rows[0]?.readonly)
  }

  #timeoutOf(options: CallOptions): number {
    return options.timeoutMs ?? this.#config.getTransportConfig().requestTimeoutMs
  }
}

/** Makes an adapter; what the options leave open comes from `CLICKHOUSE_*` variables. */
export function createAdapter(config: ClickHouseOptions | ClickHouseConfig = {}, options: AdapterOptions = {}): ClickHouseAdapter {
  return new HttpAdapter(config instanceof ClickHouseConfig ? config : new ClickHouseConfig(config), options)
}

function defaultPolicy(config: ClickHouseConfig, server: string, metrics: MetricsSink, clock: Clock): Policy {
  const { failureRate, minimumCalls, openMs } = config.getCircuitBreakerConfig()
  const name = `clickhouse ${server}`
  return compose(createRetry({ name, ...config.getRetryConfig(), metrics, clock }), createBreaker({ name, consecutiveFailures: Infinity, failureShare: failureRate, minimumCalls, openMs, metrics, clock }))
}

/** Whether a statement only reads, as far as its first word tells; anything else is sent once. */
function isRead(query: string): boolean {
  return /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*\(*\s*(?:select|with|show|describe|desc|explain|exists)\b/i.test(query)
}

function roleOf(options: QueryOptions): Record<string, string> {
  return options.role === undefined ? {} : { role: options.role }
}

function refuseOtherFormat({ headers, body }: ServerAnswer, query: FailedQuery): void {
  const format = headers['x-clickhouse-format']
  if (format === undefined || format === 'RowBinaryWithNamesAndTypes') return
  body.destroy()
  throw new QueryError(`the query has a FORMAT clause (${String(format)}); leave it out, or use download for bytes in a format of your own`, { ...query, status: 400 })
}

function timeoutError(timeoutMs: number, queryId: string | undefined): QueryExecutionTimeoutError {
  return new QueryExecutionTimeoutError(`the query took longer than the ${timeoutMs} ms that it may; narrow it, or allow more with timeoutMs`, { queryId })
}

function closedError(server: string): OperationalError {
  return new OperationalError('the adapter is closed', { code: 'ERR_CLICKHOUSE_CLOSED', server, retryable: false })
}

const CONTENT_TYPES: Readonly<Record<string, string>> = { CSV: 'text/csv', CSVWithNames: 'text/csv', JSONEachRow: 'application/x-ndjson', Parquet: 'application/vnd.apache.parquet', ArrowStream: 'application/vnd.apache.arrow.stream' }

function contentTypeOf(format: string): string {
  return CONTENT_TYPES[format] ?? 'application/octet-stream'
}
