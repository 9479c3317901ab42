import { randomUUID } from 'node:crypto'
import { withDeadline } from '@smart-whale/core-resilience'
import { type CallOptions, type Clock, type ColumnBatch, type HealthResult, type Policy, type Row, silentMetrics, systemClock, TimeoutError } from '@smart-whale/interfaces'
import { timeoutError } from '../adapter/adapter-failures.ts'
import { contentTypeOf, isRead } from '../adapter/describe-statement.ts'
import type { AdapterOptions } from '../adapter/http-adapter.ts'
import { runBounded } from '../adapter/run-bounded.ts'
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
  ServerChoice,
} from '../adapter-options.ts'
import type { ClickHouseConfig } from '../clickhouse-config.ts'
import { failConfiguration } from '../config-layers.ts'
import { QueryExecutionTimeoutError } from '../errors.ts'
import { type FailoverPolicies, failoverPolicies } from './failover-policies.ts'
import { ClickHouseLoadBalancer, type ServerStats } from './load-balancer.ts'
import { placeInsert } from './place-insert.ts'
import type { PooledConnection } from './pooled-connection.ts'
import type { HeldServer } from './server-node.ts'

/** What every call may say: how long, until when, under which id, and where. */
type AnyCall = CallOptions & ServerChoice & { queryId?: string | undefined }

/** One attempt's share of a call. */
interface Attempt {
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly queryId: string
}

/**
 * The {@link ClickHouseAdapter} over several servers that answer the same questions. Reads that a server fails go on at another one, within the
 * deadline of the call. What writes goes to one server, and to another one only when nothing of it arrived at the first;
 * an insert with a token is repeated where the token is known: at its own server, or at any when the table is replicated.
 */
export class BalancedAdapter implements ClickHouseAdapter {
  readonly server: string
  readonly database: string
  readonly #config: ClickHouseConfig
  readonly #servers: ClickHouseLoadBalancer
  readonly #policies: FailoverPolicies
  readonly #clock: Clock

  constructor(config: ClickHouseConfig, options: AdapterOptions = {}) {
    const { metrics = silentMetrics, clock = systemClock } = options
    if (options.client !== undefined) failConfiguration([{ path: ['client'], message: 'speaks to one server; leave it out, or name one server alone' }])
    this.#config = config
    this.#clock = clock
    this.#servers = new ClickHouseLoadBalancer(config, options)
    const policies = failoverPolicies(config, metrics, clock)
    this.#policies = options.policy === undefined ? policies : { ...policies, reads: options.policy, repeatable: options.policy, pinned: options.policy }
    this.database = config.getConnectionParams().database
    this.server = `${this.#servers.servers.join(',')}/${this.database}`
  }

  /** Succeeds when one of the servers answers this user. */
  async connect(options: CallOptions = {}): Promise<void> {
    await this.execute('SELECT 1', {}, options)
  }

  execute<T extends Row = Row>(query: string, params?: QueryParams, options: QueryOptions = {}): Promise<QueryResult<T>> {
    const policy = this.#policyFor(options.retry !== false && isRead(query), options, this.#policies.reads)
    return this.#call(policy, options, (connection, attempt) => connection.execute<T>(query, params, { ...options, ...attempt }))
  }

  async executeMany<T extends Row = Row>(queries: readonly (string | readonly [query: string, params: QueryParams])[], options: ExecuteManyOptions = {}): Promise<QueryResult<T>[]> {
    const { concurrency = 4, ...each } = options
    return runBounded(queries, concurrency, options.signal, (entry, signal) => {
      const [query, params] = typeof entry === 'string' ? [entry, {}] : entry
      return this.execute<T>(query, params, { ...each, signal })
    })
  }

  stream<T extends Row = Row>(query: string, params?: QueryParams, options: QueryOptions = {}): AsyncIterable<T> {
    return this.#streamed(query, options, (connection, attempt) => connection.stream<T>(query, params, { ...options, ...attempt }))
  }

  async download(query: string, params: QueryParams | undefined, options: DownloadOptions): Promise<DownloadResult> {
    const queryId = options.queryId ?? randomUUID()
    const open = async function* (connection: PooledConnection, attempt: Attempt): AsyncIterable<Uint8Array> {
      yield* (await connection.download(query, params, { ...options, ...attempt })).body
    }
    return { body: this.#streamed(query, { ...options, queryId }, open), contentType: contentTypeOf(options.format), queryId }
  }

  async insert(table: string, rows: readonly Row[], options: InsertOptions = {}): Promise<InsertResult> {
    if (rows.length === 0) return { rows: 0, queryId: options.queryId ?? randomUUID() }
    return this.#insert(table, options, (connection, attempt) => connection.insert(table, rows, { ...options, ...attempt }))
  }

  async insertColumns(table: string, batch: ColumnBatch, options: InsertOptions = {}): Promise<InsertResult | null> {
    if (batch.rows === 0) return { rows: 0, queryId: options.queryId ?? randomUUID() }
    return this.#insert(table, options, (connection, attempt) => connection.insertColumns(table, batch, { ...options, ...attempt }))
  }

  /** `up` when every server answers, `degraded` when some do. */
  async healthCheck(options: CallOptions = {}): Promise<HealthResult> {
    const timeoutMs = options.timeoutMs ?? 2000
    const answers = await Promise.all(this.#servers.servers.map((server) => this.#versionOf(server, { ...options, timeoutMs })))
    const found = answers.filter((version) => version !== undefined).length
    const data = { servers: Object.fromEntries(this.#servers.servers.map((server, index) => [server, answers[index] ?? 'down'])) }
    if (found === answers.length) return { status: 'up', data }
    return { status: found > 0 ? 'degraded' : 'down', detail: `${found} of ${answers.length} servers answer`, data }
  }

  /** Host and port of each server. */
  get servers(): readonly string[] {
    return this.#servers.servers
  }

  /** What is known of each server. */
  getStats(): readonly ServerStats[] {
    return this.#servers.getStats()
  }

  async close(): Promise<void> {
    await this.#servers.closeAllConnections()
  }

  async #versionOf(pinTo: string, options: CallOptions): Promise<string | undefined> {
    try {
      const { rows } = await this.execute('SELECT version() AS version', {}, { ...options, pinTo, retry: false })
      return String(rows[0]?.['version'])
    } catch {
      return undefined
    }
  }

  async #insert<T>(table: string, options: InsertOptions, send: (connection: PooledConnection, attempt: Attempt) => Promise<T>): Promise<T> {
    const { token, signal, timeoutMs } = options
    if (token === undefined) return this.#call(this.#policyFor(false, options, this.#policies.unsent), options, send)
    const description = await this.#call(this.#policies.repeatable, { signal, timeoutMs }, (connection, attempt) => connection.describeTable(table, attempt))
    const { choice, mayRepeat } = placeInsert({ ...options, token }, description, (key) => this.#servers.homeOf(key))
    return this.#call(this.#policyFor(mayRepeat, choice, this.#policies.repeatable), { ...options, stickTo: undefined, ...choice }, send)
  }

  #policyFor(mayRepeat: boolean, { pinTo }: ServerChoice, anywhere: Policy): Policy {
    if (pinTo !== undefined) return mayRepeat ? this.#policies.pinned : this.#policies.pinnedUnsent
    return mayRepeat ? anywhere : this.#policies.unsent
  }

  #call<T>(policy: Policy, options: AnyCall, work: (connection: PooledConnection, attempt: Attempt) => Promise<T>): Promise<T> {
    return this.#attempts(policy, options, (choice, attempt, onChosen) =>
      this.#servers.run({ ...choice, signal: attempt.signal, timeoutMs: attempt.timeoutMs }, (connection, signal) => work(connection, { ...attempt, signal }), onChosen),
    )
  }

  /** Attempts under a policy, each on a server that was not tried yet where there is one, all within one deadline. */
  async #attempts<T>(policy: Policy, options: AnyCall, make: (choice: ServerChoice & { exclude: readonly string[] }, attempt: Attempt, onChosen: (server: string) => void) => Promise<T>): Promise<T> {
    const { signal, pinTo, stickTo, queryId = randomUUID() } = options
    const timeoutMs = options.timeoutMs ?? this.#config.getTransportConfig().requestTimeoutMs
    const untilMs = this.#clock.monotonic() + timeoutMs
    const tried: string[] = []
    let attempts = 0
    const attempt = ({ signal }: { signal: AbortSignal }): Promise<T> => {
      attempts++
      const leftMs = Math.max(1, Math.ceil(untilMs - this.#clock.monotonic()))
      return make({ pinTo, stickTo, exclude: tried }, { signal, timeoutMs: leftMs, queryId: attempts === 1 ? queryId : `${queryId}-${attempts}` }, (server) => void tried.push(server))
    }
    try {
      return await withDeadline((context) => policy.execute(attempt, context), { timeoutMs, signal, clock: this.#clock })
    } catch (error) {
      throw isOwnDeadline(error) ? timeoutError(timeoutMs, queryId, error) : error
    }
  }

  /** Fails over until the first piece has come; what was handed on can't be taken back. */
  async *#streamed<R>(query: string, options: QueryOptions, open: (connection: PooledConnection, attempt: Attempt) => AsyncIterable<R>): AsyncIterable<R> {
    const policy = this.#policyFor(isRead(query), options, this.#policies.repeatable)
    const { held, pieces, first, leave } = await this.#attempts(policy, options, async (choice, attempt, onChosen) => {
      // Under the caller's signal: the attempts are over when the first piece has come, and the reading goes on.
      const held = await this.#servers.hold({ ...choice, signal: options.signal, timeoutMs: attempt.timeoutMs }, onChosen)
      const pieces = open(held.connection, { ...attempt, signal: held.signal })[Symbol.asyncIterator]()
      const leave = async (): Promise<void> => {
        await pieces.return?.()
        held.release()
      }
      const first = await judged(held, () => pieces.next())
      held.answered()
      // It came when its deadline had passed: nobody is there to read on, or to give the connection back.
      if (attempt.signal.aborted) await leave()
      return { held, pieces, first, leave }
    })
    try {
      for (let piece = first; piece.done !== true; piece = await judged(held, () => pieces.next())) yield piece.value
    } finally {
      await leave()
    }
  }
}

/** The deadline of the call, whoever noticed first: not one that the server told of, nor that of a connection. */
function isOwnDeadline(error: unknown): boolean {
  if (QueryExecutionTimeoutError.isInstance(error)) return error.serverCode === undefined
  return TimeoutError.isInstance(error) && error.code === 'ERR_TIMEOUT'
}

/** A failure on the way is told to whom it is held against. */
async function judged<T>(held: HeldServer, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    const cause = held.causeOf(error)
    held.release(cause)
    throw cause
  }
}
