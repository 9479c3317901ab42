import type { CallOptions, Clock, JsonValue } from '@smart-whale/interfaces'
import { TimescaleValidationError } from '../errors.ts'
import { type PartitionManager, partitionsOf } from '../partitions/partition-manager.ts'
import { isPartitionMissing, partitionMissingError } from '../partitions/partition-missing.ts'
import { refuseInput } from '../refuse-input.ts'
import { forgetExpired, type IdempotentRequest, keepAnswer, takeKey } from '../time-series/idempotency-keys.ts'
import { kindOf } from '../time-series/parse-time.ts'
import { pointsToRows } from '../time-series/point-values.ts'
import type { TimescaleStorage, TimescaleTransaction } from '../timescale-storage.ts'
import type { ResolvedTable } from './table-resolver.ts'

/** What a {@link PointStore} works with. */
export interface PointStoreOptions {
  /** Where the tables and the idempotency keys are; migrated. @default none, required */
  readonly storage: TimescaleStorage
  /** Paces the removal of keys that have expired. @default none, required */
  readonly clock: Pick<Clock, 'monotonic'>
  /** Most points of one request. @default none, required */
  readonly maxPoints: number
  /** How long one statement may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
  /** How long an Idempotency-Key is remembered, in seconds. @default none, required */
  readonly keyTtlSeconds: number
}

/** One request to store points. */
export interface StoreRequest {
  readonly body: unknown
  /** `Idempotency-Key`, as it was sent. */
  readonly key: string | undefined
  /** Whose keys these are. */
  readonly caller: string
  readonly signal: AbortSignal
}

/** What became of it. */
export interface StoreAnswer {
  readonly answer: JsonValue
  /** Whether it was stored by an earlier request with the same key. */
  readonly replayed: boolean
}

const FORGET_EVERY_MS = 60_000

/** Stores the points of a request: all or none, and once for each Idempotency-Key. */
export class PointStore {
  readonly #options: PointStoreOptions
  readonly #partitions: PartitionManager
  #forgotAtMs: number

  constructor(options: PointStoreOptions) {
    this.#options = options
    this.#partitions = partitionsOf(options.storage)
    this.#forgotAtMs = options.clock.monotonic()
  }

  /** @throws TimescaleValidationError naming point and column; TimescaleOperationError 409 for a key with another body or a row that is there */
  async store({ table, repository }: ResolvedTable, request: StoreRequest): Promise<StoreAnswer> {
    const points = readPoints(request.body, this.#options.maxPoints)
    const key = readKey(request.key)
    const call = { signal: request.signal, timeoutMs: this.#options.timeoutMs }
    const rows = pointsToRows(await repository.describe(call), points, ['body', 'points'])
    await this.#makeRoom(table, rows, call)
    const work = async (transaction: TimescaleTransaction): Promise<JsonValue> => {
      for (const [columns, part] of byColumns(rows)) await transaction.bulkInsert(table, part, { columns, ...call })
      return { table: table.split('.').at(-1) as string, stored: rows.length }
    }
    try {
      if (key === undefined) return { answer: await this.#options.storage.withTransaction(work, call), replayed: false }
      return await this.#once({ scope: JSON.stringify([request.caller, table]), key, body: points }, work, call)
    } catch (error) {
      if (!isPartitionMissing(error)) throw aboutBody(error)
      this.#partitions.forget(table)
      throw partitionMissingError(table, error)
    }
  }

  async #once(request: IdempotentRequest, work: (transaction: TimescaleTransaction) => Promise<JsonValue>, call: CallOptions): Promise<StoreAnswer> {
    await this.#forgetNowAndThen(call)
    return this.#options.storage.withTransaction(async (transaction) => {
      const before = await takeKey(transaction, request, this.#options.keyTtlSeconds, call)
      if (before !== undefined) return { answer: before, replayed: true }
      const answer = await work(transaction)
      await keepAnswer(transaction, request, answer, call)
      return { answer, replayed: false }
    }, call)
  }

  async #makeRoom(table: string, rows: readonly Record<string, unknown>[], call: CallOptions): Promise<void> {
    const refused = await this.#partitions.makeRoomFor(table, rows, call)
    if (refused.length === 0) return
    const issues = refused.slice(0, 20).map(({ index, reason }) => ({ path: ['body', 'points', index], message: reason }))
    throw new TimescaleValidationError(`points.${refused[0]?.index} is refused: ${refused[0]?.reason}`, { issues })
  }

  async #forgetNowAndThen(call: CallOptions): Promise<void> {
    const now = this.#options.clock.monotonic()
    if (now - this.#forgotAtMs < FORGET_EVERY_MS) return
    this.#forgotAtMs = now
    await forgetExpired(this.#options.storage, call)
  }
}

function readPoints(body: unknown, maxPoints: number): readonly unknown[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) refuseInput(['body'], `must be an object { "points": [...] }, found ${kindOf(body)}`)
  const extra = Object.keys(body).find((field) => field !== 'points')
  if (extra !== undefined) refuseInput(['body', extra.slice(0, 100)], 'is unknown; the body is { "points": [...] }')
  const { points } = body as { points?: unknown }
  if (!Array.isArray(points)) return refuseInput(['body', 'points'], `must be an array, found ${kindOf(points)}`)
  if (points.length === 0 || points.length > maxPoints) refuseInput(['body', 'points'], `must hold 1 to ${maxPoints} points, found ${points.length}`)
  return points
}

function readKey(key: string | undefined): string | undefined {
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key
  return refuseInput(['headers', 'idempotency-key'], 'must be 1 to 255 visible ASCII characters')
}

/** Points that name the same columns, together; columns that a point leaves out get their defaults. */
function byColumns(rows: readonly Record<string, unknown>[]): [string[], Record<string, unknown>[]][] {
  const groups = new Map<string, [string[], Record<string, unknown>[]]>()
  for (const row of rows) {
    const columns = Object.keys(row).sort()
    const key = JSON.stringify(columns)
    const group = groups.get(key) ?? [columns, []]
    group[1].push(row)
    groups.set(key, group)
  }
  return [...groups.values()]
}

/** What the server finds wrong with the rows is about the body. */
function aboutBody(error: unknown): unknown {
  if (!(error instanceof TimescaleValidationError) || error.issues[0]?.path[0] === 'body') return error
  const issues = error.issues.map(({ path, message }) => ({ path: ['body', 'points', ...path], message }))
  return new TimescaleValidationError(error.message, { code: error.code, status: error.status, issues, cause: error.cause })
}
