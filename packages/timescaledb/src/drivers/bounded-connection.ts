import { type CallOptions, type Clock, InfrastructureError, type Row, systemClock } from '@smart-whale/interfaces'
import { TimescaleConnectionError, TimescaleOperationError } from '../errors.ts'
import { checkSession, type SessionServer } from '../map-edition-error.ts'
import { mapError } from '../map-error.ts'
import type { SqlConnection, SqlConnectionOptions, SqlResult, SqlStreamOptions } from '../sql-driver.ts'
import { encodeParameters } from './encode-parameter.ts'
import type { RawCursor, RawSession } from './raw-session.ts'
import { type Bounds, deadlineError, runBounded } from './run-bounded.ts'
import { sendCancel } from './send-cancel.ts'

const BATCH_ROWS = 500
/** How long a goodbye may take before the socket is dropped. */
const GOODBYE_MS = 2_000
/** The server's own limit comes first; ours catches a server that no longer answers. */
const SERVER_FIRST_MS = 500

/** What every session is set to, whoever opened it: values are read on the strength of it. */
export const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'iso_8601',
  bytea_output: 'hex',
  extra_float_digits: '1',
  client_encoding: 'UTF8',
}

/** Asked together with the settings, so that it costs no round trip; the server loads the extension's library before it answers. */
const ABOUT_SERVER = `current_setting('server_version_num')::int as "serverVersion",
  (select extversion from pg_extension where extname = 'timescaledb') as "extension",
  current_setting('timescaledb.license', true) as "license",
  coalesce(current_setting('timescaledb.restoring', true) = 'on', false) as "restoring"`

/** A {@link RawSession} with deadlines, cancellation, order and our errors: what every driver has in common. */
export class BoundedConnection implements SqlConnection {
  readonly #raw: RawSession
  readonly #options: SqlConnectionOptions
  readonly #clock: Clock
  #failure: Error | undefined
  #server: SessionServer | undefined
  #inTransaction = false
  /** The server's own limit as it stands, and as it stood before the transaction: a rollback brings it back. */
  #serverTimeoutMs = 0
  #timeoutBeforeMs = 0
  /** Whether a cancel request is under way whose statement was done before it came. */
  #strayCancel = false
  #last: Promise<unknown> = Promise.resolve()

  private constructor(raw: RawSession, options: SqlConnectionOptions, clock: Clock) {
    this.#raw = raw
    this.#options = options
    this.#clock = clock
    void raw.closed.then((reason) => this.#fail(mapError(reason)))
  }

  /** Sets the session up, and looks whether rows are safe in it. */
  static async open(raw: RawSession, options: SqlConnectionOptions, clock = systemClock): Promise<BoundedConnection> {
    const connection = new BoundedConnection(raw, options, clock)
    const settings = { ...options.settings, ...SESSION_SETTINGS, statement_timeout: String(options.statementTimeoutMs) }
    const calls = Object.keys(settings).map((_name, index) => `set_config($${index * 2 + 1}, $${index * 2 + 2}, false)`)
    try {
      const bounds = { signal: options.signal, timeoutMs: options.connectTimeoutMs }
      const { rows } = await connection.query(`select ${calls.join(', ')}, ${ABOUT_SERVER}`, Object.entries(settings).flat(), bounds)
      connection.#server = rows[0] as unknown as SessionServer
      checkSession(connection.#server)
    } catch (error) {
      raw.destroy()
      throw error
    }
    connection.#serverTimeoutMs = options.statementTimeoutMs
    return connection
  }

  get processId(): number {
    return this.#raw.processId
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  get inTransaction(): boolean {
    return this.#inTransaction
  }

  async query<T extends Row = Row>(sql: string, params: readonly unknown[] = [], options?: CallOptions): Promise<SqlResult<T>> {
    const encoded = encodeParameters(params)
    const result = await this.#run(options, () => this.#raw.query(sql, encoded))
    this.#follow(result.command, sql)
    return result as SqlResult<T>
  }

  runScript(sql: string, options?: CallOptions): Promise<void> {
    return this.#run(options, () => this.#raw.runScript(sql))
  }

  async executeMany(sql: string, paramsList: readonly (readonly unknown[])[], options?: CallOptions): Promise<number> {
    const encoded = paramsList.map(encodeParameters)
    return this.#run(options, () => (encoded.length === 0 ? Promise.resolve(0) : this.#raw.executeMany(sql, encoded, this.#inTransaction)))
  }

  copyIn(sql: string, source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, options?: CallOptions): Promise<number> {
    return this.#run(options, () => this.#raw.copyIn(sql, source))
  }

  async *stream<T extends Row = Row>(sql: string, params: readonly unknown[] = [], options: SqlStreamOptions = {}): AsyncGenerator<T[], void, undefined> {
    const encoded = encodeParameters(params)
    const turn = await this.#takeTurn()
    try {
      const end = options.timeoutMs === undefined ? undefined : { atMs: this.#clock.monotonic() + options.timeoutMs, limitMs: options.timeoutMs }
      // The server counts the reader's pauses as its own time: its limit would end a stream that is read slowly.
      await this.#setServerTimeout(0, options)
      yield* this.#read(this.#raw.openCursor(sql, encoded, options.batchRows ?? BATCH_ROWS), end, options.signal) as AsyncIterable<T[]>
      await this.#setServerTimeout(this.#options.statementTimeoutMs, undefined)
    } finally {
      await this.#absorbStrayCancel()
      turn.end()
    }
  }

  async begin(options: CallOptions & { how?: string | undefined } = {}): Promise<void> {
    await this.query(`begin ${options.how ?? ''}`, [], options)
  }

  async commit(options?: CallOptions): Promise<void> {
    const { command } = await this.query('commit', [], options)
    if (command === 'COMMIT') return
    throw new TimescaleOperationError('the transaction was rolled back instead of committed, because a statement in it had failed', {
      code: 'ERR_TIMESCALEDB_TRANSACTION_FAILED',
    })
  }

  async rollback(options?: CallOptions): Promise<void> {
    await this.query('rollback', [], options)
  }

  async close(): Promise<void> {
    if (this.#failure) return
    this.#failure = new TimescaleConnectionError('this connection was closed', { code: 'ERR_TIMESCALEDB_CONNECTION_LOST' })
    const timer = this.#clock.setTimeout(() => this.#raw.destroy(), GOODBYE_MS)
    await this.#last
    await this.#raw.end().catch(() => this.#raw.destroy())
    await this.#raw.closed
    this.#clock.clearTimeout(timer)
  }

  destroy(reason: Error = new TimescaleConnectionError('this connection was dropped', { code: 'ERR_TIMESCALEDB_CONNECTION_LOST' })): void {
    this.#fail(reason)
    this.#raw.destroy()
  }

  /** @param end of the whole stream; each batch has the session's own limit besides */
  async *#read(cursor: RawCursor, end: { atMs: number; limitMs: number } | undefined, signal: AbortSignal | undefined): AsyncGenerator<Row[], void, undefined> {
    try {
      for (;;) {
        const leftMs = end === undefined ? Infinity : end.atMs - this.#clock.monotonic()
        if (leftMs <= 0) throw deadlineError(end?.limitMs ?? 0)
        const rows = await this.#bounded({ limitMs: Math.min(this.#clientLimit(undefined), leftMs), signal }, () => cursor.read())
        if (rows.length === 0) return
        yield rows
      }
    } finally {
      if (!this.#failure) await this.#bounded({ limitMs: GOODBYE_MS, signal: undefined }, () => cursor.close()).catch((error: Error) => (this.#strayCancel ? undefined : this.destroy(error)))
    }
  }

  /** Runs one thing after all that was asked for before. */
  async #run<T>(options: CallOptions | undefined, work: () => Promise<T>): Promise<T> {
    const turn = await this.#takeTurn()
    try {
      const wantedMs = options?.timeoutMs
      // A shorter limit is kept by us alone; a longer one the server has to be told of.
      if (wantedMs !== undefined && this.#serverTimeoutMs > 0 && wantedMs > this.#serverTimeoutMs) await this.#setServerTimeout(Math.ceil(wantedMs), options)
      return await this.#bounded({ limitMs: this.#clientLimit(wantedMs), signal: options?.signal }, work)
    } finally {
      await this.#absorbStrayCancel()
      turn.end()
    }
  }

  /** The request has reached the server by now: a statement that may be cancelled in another's stead takes it away. */
  async #absorbStrayCancel(): Promise<void> {
    if (!this.#strayCancel) return
    this.#strayCancel = false
    if (this.#failure) return
    await this.#bounded({ limitMs: GOODBYE_MS, signal: undefined }, () => this.#raw.query('select 1', [])).catch(() => {})
    if (this.#strayCancel) this.destroy()
  }

  #clientLimit(wantedMs: number | undefined): number {
    const { statementTimeoutMs } = this.#options
    if (wantedMs !== undefined) return wantedMs
    return statementTimeoutMs > 0 ? statementTimeoutMs + SERVER_FIRST_MS : Infinity
  }

  async #setServerTimeout(timeoutMs: number, options: CallOptions | undefined): Promise<void> {
    if (this.#failure || this.#serverTimeoutMs === timeoutMs) return
    await this.#bounded({ limitMs: this.#clientLimit(options?.timeoutMs), signal: options?.signal }, () => this.#raw.query(`set statement_timeout = ${timeoutMs}`, []))
    this.#serverTimeoutMs = timeoutMs
  }

  async #bounded<T>(bounds: Bounds, work: () => Promise<T>): Promise<T> {
    if (this.#failure) throw this.#failure
    try {
      return await runBounded(work, {
        bounds,
        clock: this.#clock,
        closed: this.#raw.closed,
        cancel: () => sendCancel({ ...this.#options, tls: this.#options.tls ?? false, processId: this.processId, secretKey: this.#raw.secretKey }),
        cancelledTooLate: () => (this.#strayCancel = true),
        destroy: (reason) => this.destroy(reason),
      })
    } catch (error) {
      const mapped = mapError(error, this.#server)
      if (isBroken(mapped)) this.destroy(mapped)
      throw mapped
    }
  }

  async #takeTurn(): Promise<{ end(): void }> {
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    await before
    return { end: resolve }
  }

  /** Keeps track of the transaction by what the server says it did. */
  #follow(command: string, sql: string): void {
    if (command === 'BEGIN' || command === 'START') {
      this.#inTransaction = true
      this.#timeoutBeforeMs = this.#serverTimeoutMs
    }
    if (command === 'COMMIT') this.#inTransaction = false
    if (command === 'ROLLBACK' && !/^\s*rollback\s+(work\s+|transaction\s+)?to\b/i.test(sql)) {
      this.#inTransaction = false
      this.#serverTimeoutMs = this.#timeoutBeforeMs
    }
  }

  #fail(reason: Error): void {
    this.#failure ??= reason
  }
}

function isBroken(error: Error): boolean {
  return InfrastructureError.isInstance(error) && error.code === 'ERR_TIMESCALEDB_CONNECTION_LOST'
}
