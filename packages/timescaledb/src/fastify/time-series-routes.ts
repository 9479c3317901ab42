import { type Clock, type JsonValue, type Row, systemClock, toProblem, toWire } from '@smart-whale/interfaces'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import type { ResultColumn } from '../time-series/time-series-repository.ts'
import type { TimescaleStorage } from '../timescale-storage.ts'
import { abortWhenCallerLeaves } from './caller-leaves.ts'
import { PointStore } from './store-points.ts'
import { checkSchema, type ResolvedTable, TableResolver } from './table-resolver.ts'
import { aboutQuery, type QueryParameters, readQuery } from './time-series-request.ts'
import { aggregateSchema, latestSchema, rangeSchema, storeSchema } from './time-series-schemas.ts'

/** Bounds of a request. */
export interface TimeSeriesLimits {
  /** Most rows of an answer: page, buckets × groups, latest. @default 10_000 */
  maxRows: number
  /** Most points of one request. @default 10_000 */
  maxPoints: number
  /** Largest body, in bytes. @default 8_388_608 */
  maxBodyBytes: number
  /** How long one statement may take. @default 15_000 */
  timeoutMs: number
}

/** What the time-series routes are made from. */
export interface TimeSeriesRoutesOptions {
  /** Where the tables are; migrated, for the idempotency keys. @default none, required */
  storage: TimescaleStorage
  /** Makes the hook that lets a caller with the permission through: `timeseries:read`, `timeseries:write`. @default everybody may do everything */
  guard?: ((permission: string) => preHandlerAsyncHookHandler) | undefined
  /** The one schema whose tables may be seen. @default 'public' */
  schema?: string | undefined
  /** Tables of that schema that may be seen. @default every one with a timestamptz column; internal tables never */
  tables?: readonly string[] | undefined
  /** Whose Idempotency-Keys a request uses. @default all callers share theirs */
  callerOf?: ((request: FastifyRequest) => string) | undefined
  /** How long an Idempotency-Key is remembered. @default 86_400 */
  keyTtlSeconds?: number | undefined
  /** Bounds of a request. @default see {@link TimeSeriesLimits} */
  limits?: Partial<TimeSeriesLimits> | undefined
  /** Where "now" of relative times comes from. @default the machine's clock */
  clock?: Clock | undefined
}

const DEFAULT_LIMITS: TimeSeriesLimits = { maxRows: 10_000, maxPoints: 10_000, maxBodyBytes: 8 * 1024 * 1024, timeoutMs: 15_000 }

type TableRequest = FastifyRequest<{ Params: { table: string }; Querystring: QueryParameters }>

/** `GET /timeseries/{table}`, `…/aggregate`, `…/latest`, and `POST /timeseries/{table}`. */
export const timeSeriesRoutes: FastifyPluginAsync<TimeSeriesRoutesOptions> = async (fastify, options) => {
  const { storage, clock = systemClock } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const schema = checkSchema(options.schema ?? 'public')
  const resolver = new TableResolver({ storage, schema, tables: options.tables, maxRows: limits.maxRows, timeoutMs: limits.timeoutMs })
  const points = new PointStore({ storage, clock, maxPoints: limits.maxPoints, timeoutMs: limits.timeoutMs, keyTtlSeconds: options.keyTtlSeconds ?? 86_400 })
  fastify.setErrorHandler(answerProblem)
  registerReads(fastify, { resolver, clock, options })
  registerWrite(fastify, { resolver, points, limits, options })
}

/** Requests are checked by the handlers; the host's validator may be set to change them before anybody can complain. */
const asTheyAre = { validatorCompiler: () => () => true, serializerCompiler: () => (data: unknown) => JSON.stringify(data) }

interface ReadParts {
  readonly resolver: TableResolver
  readonly clock: Clock
  readonly options: TimeSeriesRoutesOptions
}

function registerReads(fastify: FastifyInstance, { resolver, clock, options }: ReadParts): void {
  const guard = options.guard ?? letEverybodyThrough
  const read = { ...asTheyAre, preHandler: guard('timeseries:read') }
  const answer = (request: TableRequest, reply: FastifyReply, work: (resolved: ResolvedTable, signal: AbortSignal) => Promise<Answer>): Promise<JsonValue> => {
    const signal = abortWhenCallerLeaves(reply)
    const { table } = request.params
    reply.header('cache-control', 'no-store')
    return aboutQuery(async () => toAnswer(table, await resolver.withTable(table, signal, (resolved) => work(resolved, signal))))
  }

  fastify.get('/timeseries/:table', { ...read, schema: rangeSchema }, (request: TableRequest, reply) =>
    answer(request, reply, async ({ repository }, signal) => {
      const { range, ...query } = readQuery(request.query, ['start', 'end', 'range', 'limit', 'cursor', 'order'], clock)
      return repository.getRange(range, { ...query, signal })
    }),
  )

  fastify.get('/timeseries/:table/aggregate', { ...read, schema: aggregateSchema }, (request: TableRequest, reply) =>
    answer(request, reply, async ({ repository }, signal) => {
      const query = readQuery(request.query, ['start', 'end', 'range', 'interval', 'metrics', 'groupBy', 'fill', 'timeZone'], clock)
      const metrics = query.metrics.length > 0 ? query.metrics : ['count']
      return repository.getAggregated(query.range, query.interval ?? '', metrics, { ...query, signal })
    }),
  )

  fastify.get('/timeseries/:table/latest', { ...read, schema: latestSchema }, (request: TableRequest, reply) =>
    answer(request, reply, async ({ repository }, signal) => {
      const query = readQuery(request.query, ['start', 'end', 'range', 'limit', 'perSeries'], clock)
      const [rows, { columns }] = [await repository.getLatest(query.limit ?? 1, { ...query, signal }), await repository.describe({ signal })]
      return { rows, columns: columns.map(({ name, type }) => ({ name, type })) }
    }),
  )
}

interface WriteParts {
  readonly resolver: TableResolver
  readonly points: PointStore
  readonly limits: TimeSeriesLimits
  readonly options: TimeSeriesRoutesOptions
}

function registerWrite(fastify: FastifyInstance, { resolver, points, limits, options }: WriteParts): void {
  const guard = options.guard ?? letEverybodyThrough
  const write = { ...asTheyAre, schema: storeSchema, preHandler: guard('timeseries:write'), bodyLimit: limits.maxBodyBytes }
  fastify.post('/timeseries/:table', write, async (request: FastifyRequest<{ Params: { table: string } }>, reply) => {
    const signal = abortWhenCallerLeaves(reply)
    const header = request.headers['idempotency-key']
    const key = Array.isArray(header) ? header.join(',') : header
    const caller = options.callerOf?.(request) ?? ''
    const { answer, replayed } = await resolver.withTable(request.params.table, signal, (resolved) =>
      points.store(resolved, { body: request.body, key, caller, signal }),
    )
    if (replayed) reply.header('idempotency-replayed', 'true')
    return reply.code(201).send(answer)
  })
}

interface Answer {
  readonly rows: readonly Row[]
  readonly columns: readonly ResultColumn[]
  readonly nextCursor?: string | null
}

function toAnswer(table: string, { rows, columns, nextCursor }: Answer): JsonValue {
  return toWire({ table, columns, data: rows, ...(nextCursor === undefined ? {} : { nextCursor }) })
}

function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error)
  if (problem.status >= 500) request.log.error({ err: error }, 'a time-series request failed')
  if (problem.status === 503) reply.header('retry-after', '1')
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

const letEverybodyThrough = (): preHandlerAsyncHookHandler => async () => {}
