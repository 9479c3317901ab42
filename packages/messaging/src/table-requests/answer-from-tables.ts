import { withDeadline } from '@smart-whale/core-resilience'
import { type Clock, OperationError, systemClock, toWire, type ValidationIssue } from '@smart-whale/interfaces'
import { z } from 'zod'
import { DEFAULT_OPERATION_TIMEOUT } from '../constants.ts'
import { messagingValidationError } from '../errors.ts'
import type { Freshness } from '../pipeline/freshness/freshness.ts'
import type { DataRequestHandler } from '../requests/serve-requests.ts'
import { createDataResponse, type CreateDataResponseOptions } from '../schemas/create-data-message.ts'
import type { DataRequest } from '../schemas/data-message.ts'
import { OperationType } from '../schemas/enumerations.ts'

/** Which rows a request wants: by time, newest or oldest first, page by page. */
export interface TableQuery {
  /** Where the span begins, included. */
  readonly start?: Date | undefined
  /** Where it ends, not included. */
  readonly end?: Date | undefined
  /** Column to value; all must be equal. */
  readonly filter?: Readonly<Record<string, string | number | boolean | null>> | undefined
  readonly order: 'asc' | 'desc'
  /** Most rows of the page. */
  readonly limit: number
  /** `next_cursor` of the page before. */
  readonly cursor?: string | undefined
}

/** One page of rows. */
export interface TablePage {
  readonly rows: readonly object[]
  readonly nextCursor: string | null
}

/** Reads one table. */
export interface TableReader {
  /** @throws ValidationError for a column or cursor that isn't one */
  read(query: TableQuery, options: { signal: AbortSignal }): Promise<TablePage>
}

/** What {@link answerFromTables} answers from. */
export interface AnswerFromTablesOptions {
  /** Readers by the table names that requests use; every other table is unknown. @default none, required */
  tables: ReadonlyMap<string, TableReader>
  /**
   * Decides whether a request may read a table, and which of its rows: what it answers must hold besides what the request asks for. To
   * refuse, throw an error with status 403. @default every request may read every row
   */
  authorize?: ((request: DataRequest, table: string) => Promise<{ filter?: TableQuery['filter'] }>) | undefined
  /** Makes requests wait that name a token in `wait_for`. @default such a request is refused */
  freshness?: Freshness | undefined
  /** Most rows of one answer. @default 1000 */
  maxRows?: number | undefined
  /** Most bytes of the rows of one answer, as JSON. @default 800000 */
  maxBytes?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text))
const plainFilter = z.record(z.string().min(1).max(200), z.union([z.string(), z.number(), z.boolean(), z.null()]))

const parametersSchema = z.strictObject({
  table: z.string().min(1).max(200),
  start: time.optional(),
  end: time.optional(),
  filter: plainFilter.optional(),
  order: z.enum(['asc', 'desc']).default('asc'),
  limit: z.int().min(1).optional(),
  cursor: z.string().max(4096).optional(),
  wait_for: z.string().optional(),
})

type Parameters = z.output<typeof parametersSchema>

/**
 * Answers `fetch_data` and `search_data` from tables: `parameters` name the table, and by choice `start`, `end`, `filter`, `order`, `limit`,
 * `cursor` and `wait_for`. Every other operation is an invalid request. It only reads, so that a request which comes twice is answered twice the same.
 */
export function answerFromTables(options: AnswerFromTablesOptions): DataRequestHandler {
  const { clock = systemClock } = options
  return async (request, { signal }) => {
    const { payload, metadata } = request
    const parameters = parametersOf(request)
    const timeoutMs = Math.min((payload.timeout ?? Number.POSITIVE_INFINITY) * 1000, DEFAULT_OPERATION_TIMEOUT)
    const begin = clock.monotonic()
    const page = await withDeadline((context) => readPage(options, request, parameters, context.signal), { timeoutMs, signal, clock })
    const data = toWire(page.rows) as Extract<CreateDataResponseOptions['data'], unknown[]>
    refuseTooLarge(data, Math.min(payload.maxSize ?? Number.POSITIVE_INFINITY, options.maxBytes ?? 800_000))
    return createDataResponse({
      requestId: metadata.requestId,
      modelId: payload.modelId,
      operation: payload.operation,
      dataType: payload.dataType,
      priority: metadata.priority,
      data,
      totalItems: data.length,
      ...(page.nextCursor === null ? {} : { nextCursor: page.nextCursor }),
      ...(payload.batchId === undefined ? {} : { batchId: payload.batchId }),
      processingTime: (clock.monotonic() - begin) / 1000,
      cached: false,
      clock,
    })
  }
}

async function readPage(options: AnswerFromTablesOptions, request: DataRequest, { table, wait_for: token, limit, ...query }: Parameters, signal: AbortSignal): Promise<TablePage> {
  const { tables, authorize, freshness, maxRows = 1000 } = options
  const reader = tables.get(table)
  if (reader === undefined) throw unknownTable(table)
  const { filter } = (await authorize?.(request, table)) ?? {}
  if (token !== undefined) {
    if (freshness === undefined) throw refused('wait_for', 'can not be waited for here; leave it out')
    await freshness.waitUntilStored(token, { signal })
  }
  // What may be seen and what is asked for must both hold: where they contradict each other, there is nothing.
  if (Object.entries(filter ?? {}).some(([column, value]) => query.filter?.[column] !== undefined && query.filter[column] !== value)) return { rows: [], nextCursor: null }
  return reader.read({ ...query, limit: Math.min(limit ?? maxRows, maxRows), filter: { ...query.filter, ...filter } }, { signal })
}

/** @throws ValidationError for another operation, and naming each parameter that is wrong */
function parametersOf({ payload: { operation, parameters } }: DataRequest): Parameters {
  if (operation !== OperationType.FETCH_DATA && operation !== OperationType.SEARCH_DATA) throw refused('operation', `"${operation}" is not answered here; fetch_data and search_data are`)
  const result = parametersSchema.safeParse(parameters)
  if (!result.success) throw invalid(result.error.issues.map(({ path, message }) => ({ path: ['parameters', ...path.map(String)], message })))
  if (operation === OperationType.SEARCH_DATA && result.data.filter === undefined) throw refused('filter', 'is what to search for: column to value')
  return result.data
}

function refuseTooLarge(data: readonly unknown[], maxBytes: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(data))
  if (bytes > maxBytes) throw refused('limit', `brings ${bytes} bytes, and an answer may have ${maxBytes}; ask for fewer rows`)
}

const refused = (name: string, message: string): Error => invalid([{ path: name === 'operation' ? ['operation'] : ['parameters', name], message }])

function invalid(issues: readonly ValidationIssue[]): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_MESSAGE', `the request is wrong: ${issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ')}`, issues)
}

function unknownTable(table: string): Error {
  return new OperationError(`there is no table "${table}" to read`, { code: 'ERR_MESSAGING_UNKNOWN_TABLE', status: 404 })
}
