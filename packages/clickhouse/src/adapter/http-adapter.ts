import { randomUUID } from 'node:crypto'
import { abortedError, type CallOptions, type Clock, type ColumnBatch, type HealthResult, InfrastructureError, type Logger, type MetricsSink, type Policy, type Row, silentLogger, silentMetrics, systemClock, TimeoutError } from '@smart-whale/interfaces'
import { BreakerOpenError, compose, createBreaker, createRetry, outsideOfCalls, withDeadline } from '@smart-whale/core-resilience'
import type {
  ClickHouseAdapter,
  DownloadOptions,
  DownloadResult,
  ExecuteManyOptions,
  InsertOptions,
  InsertResult,
  QueryOptions,
  QueryParams,
  QueryResult,
} from '../adapter-options.ts'
import type { ClickHouseConfig } from '../clickhouse-config.ts'
import type { FailedQuery } from '../map-error.ts'
import { type BoundQuery, bindParameters } from '../parameters/bind-parameters.ts'
import { refuseReachingOut } from '../parameters/refuse-reaching-out.ts'
import { HttpTransport, type ServerAnswer, type ServerRequest, type ServerTransport, type SocketStats } from './http-transport.ts'
import type { ByteWriter } from '../row-binary/byte-writer.ts'
import { encodeColumnInsert, type EncodedInsert, encodeInsert } from './insert-format.ts'
import { ClientTransport, type StockClient } from './client-transport.ts'
import { circuitOpenError, timeoutError } from './adapter-failures.ts'
import { contentTypeOf, isRead } from './describe-statement.ts'
import { withExternalTable } from './external-table.ts'
import { answerBytes, answerRows, EndReader, RowsReader } from './read-answer.ts'
import { runBounded } from './run-bounded.ts'
import { RunningQueries } from './running-queries.ts'
import { SpareWriters } from './spare-writers.ts'
import { TableColumns, type TableDescription } from './table-columns.ts'
import { ABILITIES_QUERY, abilitiesOf, insertSettings, readSettings, type UserAbilities, WHOLE_ANSWER } from './user-settings.ts'

/** What an adapter works with besides its configuration. */
export interface AdapterOptions {
  /** Hears of queries that could not be killed, and of servers that go and come. @default silentLogger */
  logger?: Logger | undefined
  /** Where retries and the breaker's state are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Replaces retry and breaker for reads, and for inserts with a token. @default retry with budget around a breaker */
  policy?: Policy | undefined
  /**
   * A client of `@clickhouse/client` to send everything through, in place of sockets of our own. Its own address, login and database count; the options of the
   * adapter are to name the same.
   * @default none
   */
  client?: StockClient | undefined
}

/** Puts what is to be inserted into a writer's memory; null when the table takes it in no such form. */
type EncodeInsert = (description: TableDescription, writer: ByteWriter, guard: string | undefined) => EncodedInsert | null

/** The {@link ClickHouseAdapter} over HTTP. */
export class HttpAdapter implements ClickHouseAdapter {
  readonly server: string
  readonly database: string
  readonly #config: ClickHouseConfig
  readonly #transport: ServerTransport
  readonly #policy: Policy
  /** Whether the policy is somebody else's, which may give an attempt up by itself. */
  readonly #mayGiveUp: boolean
  readonly #clock: Clock
  readonly #columns: TableColumns
  readonly #writers = new SpareWriters()
  readonly #queries: RunningQueries
  #abilities: Promise<UserAbilities> | null = null
  #known: UserAbilities | null = null

  constructor(config: ClickHouseConfig, options: AdapterOptions = {}) {
    const { logger = silentLogger, metrics = silentMetrics, clock = systemClock } = options
    const connection = config.getConnectionParams()
    this.#config = config
    this.#transport = options.client === undefined ? new HttpTransport(connection, config.getTransportConfig()) : new ClientTransport(options.client, `${connection.host}:${connection.port}`)
    this.server = `${this.#transport.server}/${connection.database}`
    this.database = connection.database
    this.#clock = clock
    this.#queries = new RunningQueries(this.#transport, clock, logger)
    this.#mayGiveUp = options.policy !== undefined
    this.#policy = options.policy ?? defaultPolicy(config, this.#transport.server, metrics, clock)
    this.#columns = new TableColumns(this)
  }

  async connect(options: CallOptions = {}): Promise<void> {
    await this.#abilitiesOnce(options)
  }

  async execute<T extends Row = Row>(query: string, params?: QueryParams, options: QueryOptions = {}): Promise<QueryResult<T>> {
    const bound = bindParameters(query, params ?? {})
    const abilities = await this.#abilitiesOnce(options)
    if (!abilities.maySet) refuseReachingOut(bound)
    // A statement that changes something may have done so before the connection broke: only reads are sent again.
    const mayRepeat = options.retry !== false && isRead(query)
    return this.#guarded(mayRepeat, options, (call) => this.#executeOnce(bound, abilities, call))
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
    const encode = (description: TableDescription, writer: ByteWriter, guard: string | undefined): EncodedInsert => encodeInsert(table, description, rows, writer, guard)
    return (await this.#insert(table, rows.length, encode, { ...options, queryId })) as InsertResult
  }

  async insertColumns(table: string, batch: ColumnBatch, options: InsertOptions = {}): Promise<InsertResult | null> {
    const queryId = options.queryId ?? randomUUID()
    if (batch.rows === 0) return { rows: 0, queryId }
    const encode = (description: TableDescription, writer: ByteWriter, guard: string | undefined): EncodedInsert | null => encodeColumnInsert(table, description, batch, writer, guard)
    // A table that has changed meanwhile is to refuse the block, not to make other values of its own.
    return this.#insert(table, batch.rows, encode, { ...options, queryId, settings: { ...options.settings, input_format_native_allow_types_conversion: 0 } })
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

  /** What is known of a table, as an insert needs it. @throws QueryError when there is none of that name */
  describeTable(table: string, options: CallOptions = {}): Promise<TableDescription> {
    return this.#within(options, () => this.#columns.of(table))
  }

  /** The sockets to the server. */
  getSocketStats(): SocketStats {
    return this.#transport.stats
  }

  async close(): Promise<void> {
    await this.#queries.close()
    await this.#transport.close()
  }

  async #insert(table: string, rows: number, encode: EncodeInsert, options: InsertOptions & { queryId: string }): Promise<InsertResult | null> {
    try {
      return await this.#insertEncoded(table, rows, encode, options)
    } catch (error) {
      // Whatever was wrong, the table may have changed, also when it was the encoder that refused: the next insert looks at its columns again.
      this.#columns.forget(table)
      throw error
    }
  }

  async #insertEncoded(table: string, rows: number, encode: EncodeInsert, options: InsertOptions & { queryId: string }): Promise<InsertResult | null> {
    const { maySet: mayKill } = await this.#abilitiesOnce(options)
    const description = await this.describeTable(table, options)
    const writer = this.#writers.take()
    const guard = options.guard === undefined ? undefined : bindParameters(options.guard.query, options.guard.params)
    const encoded = encode(description, writer, guard?.query)
    if (encoded === null) return null
    const { statement, body, settings = {} } = encoded
    let attempts = 0
    // Only what the table would drop as a repeat may be sent again: a plain MergeTree takes no notice of tokens.
    const mayRepeat = options.token !== undefined && description.deduplicates && guard === undefined
    const inserted = await this.#guarded(mayRepeat, options, ({ queryId, ...call }) =>
      this.#queries.run({ queryId, timeoutMs: this.#timeoutOf(call), signal: call.signal, mayKill }, async (ending) => {
        attempts++
        const search = { query: statement, ...guard?.parameters, ...insertSettings(this.#timeoutOf(call), options.token, { ...settings, ...options.settings }) }
        await this.#transport.ask({ search, body, queryId, ending }, new EndReader({ server: this.#transport.server, queryId }))
        return { rows, queryId, server: this.#transport.server }
      }),
    )
    // The server has read all of it. A socket whose attempt failed may still hold on to the bytes: then they are left to the collector.
    if (attempts === 1) this.#writers.giveBack(writer)
    return inserted
  }

  #executeOnce<T extends Row>(bound: BoundQuery, abilities: UserAbilities, options: QueryOptions & { queryId: string }): Promise<QueryResult<T>> {
    const { queryId, signal: caller } = options
    const timeoutMs = this.#timeoutOf(options)
    return this.#queries.run({ queryId, timeoutMs, signal: caller, mayKill: abilities.maySet }, async (ending) => {
      const { server } = this.#transport
      const search = { ...readSettings(abilities, timeoutMs, options.settings), ...bound.parameters, ...roleOf(options), default_format: 'RowBinaryWithNamesAndTypes', ...WHOLE_ANSWER }
      const reader = new RowsReader<T>({ server, queryId }, this.#config.getTransportConfig().maxResultBytes)
      const answered = await this.#transport.ask({ ...contentOf(bound, search, options), queryId, ending }, reader)
      return { ...answered, queryId, server }
    })
  }

  async *#streamed<R>(query: string, params: QueryParams | undefined, options: QueryOptions, format: string, read: (answer: ServerAnswer, failed: FailedQuery) => AsyncIterable<R>): AsyncIterable<R> {
    const bound = bindParameters(query, params ?? {})
    const abilities = await this.#abilitiesOnce(options)
    if (!abilities.maySet) refuseReachingOut(bound)
    const queryId = options.queryId ?? randomUUID()
    const timeoutMs = this.#timeoutOf(options)
    const search = { ...readSettings(abilities, timeoutMs, options.settings), ...bound.parameters, ...roleOf(options), default_format: format }
    const { server } = this.#transport
    const send = (signal: AbortSignal): Promise<ServerAnswer> => this.#transport.send({ ...contentOf(bound, search, options), queryId, signal })
    yield* this.#queries.stream({ queryId, timeoutMs, signal: options.signal, mayKill: abilities.maySet }, async function* (signal) {
      yield* read(await send(signal), { server, queryId })
    })
  }

  /** Under the policy where it may be repeated, each attempt under an id of its own; else once. */
  async #guarded<T>(mayRepeat: boolean, options: QueryOptions, attempt: (options: QueryOptions & { queryId: string }) => Promise<T>): Promise<T> {
    const queryId = options.queryId ?? randomUUID()
    if (!mayRepeat) return attempt({ ...options, queryId })
    let attempts = 0
    const numbered = (signal: AbortSignal | undefined): Promise<T> => attempt({ ...options, signal, queryId: attempts++ === 0 ? queryId : `${queryId}-${attempts}` })
    try {
      // A context's signal is made when it is read; a policy of ours, retry and breaker, has no other than the caller's.
      return await this.#policy.execute((context) => numbered(this.#mayGiveUp ? context.signal : options.signal), { signal: options.signal })
    } catch (error) {
      throw BreakerOpenError.isInstance(error) ? circuitOpenError(error, this.#transport.server) : error
    }
  }

  /** Asked for once for all who want to know: nobody's abort ends it, its own deadline does. */
  async #abilitiesOnce(options: CallOptions): Promise<UserAbilities> {
    this.#queries.checkOpen()
    if (options.signal?.aborted) throw abortedError('the query', options.signal)
    if (this.#known !== null) return this.#known
    this.#abilities ??= outsideOfCalls(() => this.#askAbilities()).catch((error: unknown) => {
      this.#abilities = null
      throw error
    })
    this.#known = await this.#within(options, () => this.#abilities as Promise<UserAbilities>)
    return this.#known
  }

  /** Waits for what is shared with others no longer than the call may. */
  async #within<T>(options: CallOptions, shared: () => Promise<T>): Promise<T> {
    const timeoutMs = this.#timeoutOf(options)
    try {
      return await withDeadline(shared, { timeoutMs, signal: options.signal, clock: this.#clock })
    } catch (error) {
      throw TimeoutError.isInstance(error) && error.code === 'ERR_TIMEOUT' ? timeoutError(timeoutMs, undefined) : error
    }
  }

  async #askAbilities(): Promise<UserAbilities> {
    const bound = bindParameters(ABILITIES_QUERY)
    const timeoutMs = this.#config.getTransportConfig().connectTimeoutMs
    const { rows } = await this.#guarded(true, { timeoutMs }, (call) => this.#executeOnce(bound, { maySet: false }, call))
    return abilitiesOf(rows[0]?.['readonly'])
  }

  #timeoutOf(options: CallOptions): number {
    return options.timeoutMs ?? this.#config.getTransportConfig().requestTimeoutMs
  }
}

function defaultPolicy(config: ClickHouseConfig, server: string, metrics: MetricsSink, clock: Clock): Policy {
  const { failureRate, minimumCalls, openMs } = config.getCircuitBreakerConfig()
  const name = `clickhouse ${server}`
  return compose(createRetry({ name, ...config.getRetryConfig(), metrics, clock }), createBreaker({ name, consecutiveFailures: Infinity, failureShare: failureRate, minimumCalls, openMs, metrics, clock }))
}

function roleOf(options: QueryOptions): Record<string, string> {
  return options.role === undefined ? {} : { role: options.role }
}

/** What a query is sent as: by itself, or in a form beside its own table. */
function contentOf({ query }: BoundQuery, search: Readonly<Record<string, string>>, { external: table, tenant }: QueryOptions): Pick<ServerRequest, 'search' | 'body' | 'contentType' | 'tenant'> {
  if (table === undefined) return { search, body: query, tenant }
  const { search: more, ...form } = withExternalTable(query, table)
  return { search: { ...search, ...more }, ...form, tenant }
}
