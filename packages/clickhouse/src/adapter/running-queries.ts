import { randomUUID } from 'node:crypto'
import type { Clock, Logger } from '@smart-whale/interfaces'
import { QueryCancellationError } from '../errors.ts'
import { closedError, timeoutError } from './adapter-failures.ts'
import type { Ending, ServerTransport } from './http-transport.ts'
import { EndReader } from './read-answer.ts'
import { readWhole } from './whole-answer.ts'

/** How long the server may take to end a query that nobody waits for any more. */
const KILL_TIMEOUT_MS = 2000

/** What ends a query early. */
export interface QueryBounds {
  readonly queryId: string
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Whether the user may kill queries. A read-only user may not; the server ends its queries when their socket closes. */
  readonly mayKill: boolean
}

/** The queries that run, each of which ends with its deadline, its caller, or the adapter: here and on the server. */
export class RunningQueries {
  readonly #transport: ServerTransport
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #running = new Set<RunningQuery>()
  readonly #kills = new Set<Promise<void>>()
  #closed = false

  constructor(transport: ServerTransport, clock: Clock, logger: Logger) {
    this.#transport = transport
    this.#clock = clock
    this.#logger = logger
  }

  /** Runs work until it is done or has to end. @throws what ended it, or its own failure */
  async run<T>(bounds: QueryBounds, work: (ending: Ending) => Promise<T>): Promise<T> {
    const query = this.#begin(bounds)
    try {
      return await work(query)
    } catch (error) {
      throw query.endedBy ?? error
    } finally {
      this.#forget(query)
    }
  }

  /** Hands on what work yields. A reader who leaves ends the query as well. */
  async *stream<R>(bounds: QueryBounds, work: (signal: AbortSignal) => AsyncIterable<R>): AsyncIterable<R> {
    const query = this.#begin(bounds)
    let isOver = false
    try {
      yield* work(query.signal)
      isOver = true
    } catch (error) {
      isOver = true
      throw query.endedBy ?? error
    } finally {
      this.#forget(query)
      if (!isOver) query.end(new QueryCancellationError('the reader left the stream', { code: 'ERR_ABORTED' }))
    }
  }

  /** Whether `close` was called. @throws OperationalError `ERR_CLICKHOUSE_CLOSED` */
  checkOpen(): void {
    if (this.#closed) throw closedError(this.#transport.server)
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#closed = true
    for (const query of this.#running) query.end(closedError(this.#transport.server))
    await Promise.all(this.#kills)
  }

  #begin(bounds: QueryBounds): RunningQuery {
    this.checkOpen()
    const query = new RunningQuery(bounds, this.#clock, () => {
      if (bounds.mayKill) this.#kill(bounds.queryId)
    })
    this.#running.add(query)
    return query
  }

  #forget(query: RunningQuery): void {
    this.#running.delete(query)
    query.forget()
  }

  /** In the background, within a deadline of its own. */
  #kill(queryId: string): void {
    const kill = this.#transport
      .send({ search: { param_id: queryId }, body: 'KILL QUERY WHERE query_id = {id:String} ASYNC', queryId: randomUUID(), signal: AbortSignal.timeout(KILL_TIMEOUT_MS) })
      .then(({ headers, body }) => readWhole(headers, body, new EndReader({ server: this.#transport.server, queryId })))
      .catch((error: unknown) => this.#logger.debug({ err: error, queryId }, 'a query could not be killed; the server ends it at its deadline'))
      .finally(() => this.#kills.delete(kill))
    this.#kills.add(kill)
  }
}

class RunningQuery implements Ending {
  #controller: AbortController | null = null
  #listener: ((reason: Error) => void) | null = null
  readonly #clock: Clock
  readonly #timer: unknown
  readonly #caller: AbortSignal | undefined
  readonly #onEnd: () => void
  #endedBy: Error | undefined

  constructor({ queryId, timeoutMs, signal }: QueryBounds, clock: Clock, onEnd: () => void) {
    this.#clock = clock
    this.#onEnd = onEnd
    this.#caller = signal
    this.#timer = clock.setTimeout(() => this.end(timeoutError(timeoutMs, queryId)), timeoutMs)
    if (signal?.aborted) this.#leave()
    else signal?.addEventListener('abort', this.#leave, { once: true })
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#endedBy !== undefined) this.#controller.abort(this.#endedBy)
    }
    return this.#controller.signal
  }

  onEnd(listener: (reason: Error) => void): void {
    if (this.#endedBy === undefined) this.#listener = listener
    else listener(this.#endedBy)
  }

  /** What ended it early. */
  get endedBy(): Error | undefined {
    return this.#endedBy
  }

  end(reason: Error): void {
    if (this.#endedBy !== undefined) return
    this.#endedBy = reason
    this.#controller?.abort(reason)
    this.#listener?.(reason)
    this.#onEnd()
  }

  forget(): void {
    this.#clock.clearTimeout(this.#timer)
    this.#caller?.removeEventListener('abort', this.#leave)
  }

  readonly #leave = (): void => {
    this.end(new QueryCancellationError('the query was aborted by its caller', { code: 'ERR_ABORTED', cause: this.#caller?.reason }))
  }
}
