import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Row } from '@smart-whale/interfaces'
import type { ReservedSql, Sql } from 'postgres'
import type { SqlResult } from '../sql-driver.ts'
import type { RawCursor, RawParameters, RawSession } from './raw-session.ts'
import { StatementNames } from './statement-names.ts'

type Pending = ReturnType<ReservedSql['unsafe']>
type Answer = Awaited<Pending>

/** What opening a session yields. */
export interface PostgresSessionParts {
  readonly client: Sql
  /** The client's only connection. */
  readonly session: ReservedSql
  readonly closed: Promise<unknown>
  /** Why it has ended, known at once; `undefined` while it has not. */
  whyClosed(): Error | undefined
  readonly prepare: boolean
  readonly processId: number
  readonly secretKey: number
}

/** A session through `postgres`. */
export class PostgresSession implements RawSession {
  readonly processId: number
  readonly secretKey: number
  readonly closed: Promise<unknown>
  readonly #client: Sql
  readonly #session: ReservedSql
  readonly #names: StatementNames | undefined
  readonly #whyClosed: () => Error | undefined

  constructor(parts: PostgresSessionParts) {
    this.processId = parts.processId
    this.secretKey = parts.secretKey
    this.closed = parts.closed
    this.#client = parts.client
    this.#session = parts.session
    this.#whyClosed = parts.whyClosed
    this.#names = parts.prepare ? new StatementNames() : undefined
  }

  async query(sql: string, params: RawParameters): Promise<SqlResult> {
    return resultOf(await this.#send(sql, params, this.#names?.nameOf(sql) !== undefined))
  }

  async runScript(sql: string): Promise<void> {
    await this.#open().unsafe(sql)
  }

  async executeMany(sql: string, paramsList: readonly RawParameters[], withinTransaction: boolean): Promise<number> {
    if (withinTransaction) return this.#pipeline(sql, paramsList)
    await this.#open().unsafe('begin')
    try {
      const count = await this.#pipeline(sql, paramsList)
      await this.#open().unsafe('commit')
      return count
    } catch (error) {
      if (!this.#whyClosed()) await this.#session.unsafe('rollback')
      throw error
    }
  }

  openCursor(sql: string, params: RawParameters, batchRows: number): RawCursor {
    const batches = this.#send(sql, params, false).cursor(batchRows)[Symbol.asyncIterator]()
    return {
      read: async () => {
        this.#open()
        const { value, done } = (await batches.next()) as IteratorResult<Row[]>
        return done === true ? [] : [...value]
      },
      close: async () => {
        this.#open()
        await batches.return?.()
        // Answered after the cursor's own end, which nobody is told of.
        await this.#send('select 1', [], false)
      },
    }
  }

  async copyIn(sql: string, source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<number> {
    const copy = this.#open().unsafe(sql)
    const answered = whenAnswered(copy)
    const target = (await Promise.race([copy.writable(), answered])) as Writable
    await Promise.race([pipeline(Readable.from(source, { objectMode: true, highWaterMark: 1 }), target), answered])
    return (await answered).count
  }

  async end(): Promise<void> {
    this.#session.release()
    await this.#client.end({ timeout: 1 })
  }

  destroy(): void {
    this.#client.end({ timeout: 0 }).catch(() => {})
  }

  /** The first one is awaited, because the library describes it to the server; the rest follow without waiting. */
  async #pipeline(sql: string, paramsList: readonly RawParameters[]): Promise<number> {
    const [first, ...rest] = paramsList
    if (first === undefined) return 0
    let count = (await this.#send(sql, first, true)).count
    for (const answer of await Promise.all(rest.map((params) => this.#send(sql, params, true)))) count += answer.count
    return count
  }

  /** The library writes to a session that has ended as if it had not, and throws where nobody can catch it. */
  #open(): ReservedSql {
    const reason = this.#whyClosed()
    if (reason) throw reason
    return this.#session
  }

  #send(sql: string, params: RawParameters, prepare: boolean): Pending {
    // Never the simple protocol: it takes several statements, so that something could be appended to one.
    return this.#open().unsafe(sql, [...params], { prepare, simple: false } as { prepare: boolean })
  }
}

/**
 * The library resolves a COPY with a stream and then has nowhere to report what the server answers to the rows at their end: the count
 * would be lost, and with a refusal the stream would wait forever. What it does then is resolve or reject the query once more.
 */
function whenAnswered(copy: Pending): Promise<Answer> {
  const query = copy as unknown as { resolve(value: Writable | Answer): void; reject(error: unknown): void }
  const resolve = query.resolve.bind(query)
  const reject = query.reject.bind(query)
  const answered = new Promise<Answer>((accept, refuse) => {
    query.resolve = (value) => {
      resolve(value)
      if ('count' in value) accept(value)
    }
    query.reject = (error) => {
      reject(error)
      refuse(error as Error)
    }
  })
  answered.catch(() => {})
  return answered
}

function resultOf(answer: Answer): SqlResult {
  return {
    rows: [...answer] as Row[],
    fields: (answer.columns ?? []).map((column) => ({ name: column.name, typeId: column.type })),
    rowCount: answer.count ?? 0,
    command: answer.command ?? '',
  }
}
