import type { Clock, ValidationIssue } from '@smart-whale/interfaces'
import { ValidationError } from '@smart-whale/interfaces'
import { type TimescaleDBErrorCode, TimescaleValidationError } from '../errors.ts'
import { refuseInput } from '../refuse-input.ts'
import type { GapFill } from '../time-series/fill-gaps.ts'
import type { RangeBounds } from '../time-series/range-conditions.ts'
import type { TimeOrder } from '../time-series/range-cursor.ts'
import type { ColumnComparison, RowFilter } from '../time-series/row-filter.ts'
import { parseMoment, TimeRange } from '../time-series/time-range.ts'

/** Parameters of the query string, as Node parses it: a repeated one is a list. */
export type QueryParameters = Readonly<Record<string, string | readonly string[] | undefined>>

/** What a query string says besides its filters. */
export interface TimeSeriesQuery {
  readonly range: RangeBounds
  readonly limit: number | undefined
  readonly cursor: string | undefined
  readonly order: TimeOrder | undefined
  readonly interval: string | undefined
  readonly metrics: readonly string[]
  readonly groupBy: readonly string[]
  readonly fill: GapFill | undefined
  readonly timeZone: string | undefined
  readonly perSeries: readonly string[]
  readonly filter: RowFilter
}

/** Parameters that mean something else than a column; a column of such a name is written `filter[start]`. */
const RESERVED = ['start', 'end', 'range', 'limit', 'cursor', 'order', 'interval', 'metrics', 'groupBy', 'fill', 'timeZone', 'perSeries'] as const
type Reserved = (typeof RESERVED)[number]

const COMPARED = /^(.{1,200}?)\[(eq|ne|gt|gte|lt|lte|in|null)\]$/s
const NAMED_FILTER = /^filter\[([^\]]{1,200})\](?:\[(eq|ne|gt|gte|lt|lte|in|null)\])?$/s
const MAX_PARAMETERS = 100

/**
 * Reads a query string.
 *
 * Every parameter that is not one of the route's own is a filter on the column of that name: `origin=JFK`, `origin=JFK&origin=LAX` (either),
 * `delay[gte]=30`, `origin[in]=JFK,LAX`, `origin[ne]=JFK`, `delay[null]=true`.
 *
 * @throws TimescaleValidationError naming the parameter
 */
export function readQuery(parameters: QueryParameters, allowed: readonly Reserved[], clock: Pick<Clock, 'now'>): TimeSeriesQuery {
  const names = Object.keys(parameters)
  if (names.length > MAX_PARAMETERS) refuseInput(['parameters'], `must be at most ${MAX_PARAMETERS}, found ${names.length}`)
  const misplaced = names.find((name) => (RESERVED as readonly string[]).includes(name) && !(allowed as readonly string[]).includes(name))
  if (misplaced !== undefined) refuseInput([misplaced], `has no meaning here; this route takes ${allowed.join(', ')}, and columns to filter by`)
  const one = (name: Reserved): string | undefined => {
    const value = parameters[name]
    return value === undefined || typeof value === 'string' ? value : refuseInput([name], 'must be given once')
  }
  return {
    range: readRange({ start: one('start'), end: one('end'), range: one('range') }, clock),
    limit: readLimit(one('limit')),
    cursor: one('cursor'),
    order: oneOf('order', one('order'), ['asc', 'desc']),
    interval: one('interval'),
    metrics: readList(parameters['metrics']),
    groupBy: readList(parameters['groupBy']),
    fill: oneOf('fill', one('fill'), ['none', 'null', 'locf', 'linear']),
    timeZone: one('timeZone'),
    perSeries: readList(parameters['perSeries']),
    filter: readFilter(parameters),
  }
}

/** Findings of the layers below, with the place in the request that they are about. */
export async function aboutQuery<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!ValidationError.isInstance(error)) throw error
    const issues = error.issues.map(({ path, message }): ValidationIssue => ({ path: ['querystring', ...(path[0] === 'filter' ? path.slice(1) : path)], message }))
    const code = error.code as TimescaleDBErrorCode
    throw new TimescaleValidationError(error.message.replace(/^filter\./, ''), { code, status: error.status, issues, cause: error })
  }
}

function readRange(given: Record<'start' | 'end' | 'range', string | undefined>, clock: Pick<Clock, 'now'>): RangeBounds {
  if (given.range !== undefined) {
    if (given.start !== undefined || given.end !== undefined) refuseInput(['range'], 'must stand alone: give range, or start and end')
    const { start, end } = TimeRange.parse(mendPlus(given.range), { clock })
    return { start, end }
  }
  const start = given.start === undefined ? undefined : parseMoment(mendPlus(given.start), 'start', { clock })
  const end = given.end === undefined ? undefined : parseMoment(mendPlus(given.end), 'end', { clock })
  if (start && end && start > end) refuseInput(['end'], 'must not be before start')
  return { start, end }
}

/** A plus that nobody escaped arrives as a blank: `12:00:00 02:00` was `12:00:00+02:00`. */
function mendPlus(text: string): string {
  return text.replace(/(T\d\d:\d\d\S*) (\d\d(?::?\d\d)?)$/i, '$1+$2')
}

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  return /^\d{1,9}$/.test(text) ? Number(text) : refuseInput(['limit'], 'must be a whole number')
}

function readList(value: string | readonly string[] | undefined): string[] {
  if (value === undefined) return []
  const texts: readonly string[] = typeof value === 'string' ? [value] : value
  return texts.flatMap((text) => text.split(',')).map((text) => text.trim())
}

function readFilter(parameters: QueryParameters): RowFilter {
  const filter = new Map<string, Record<string, unknown>>()
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || (RESERVED as readonly string[]).includes(name)) continue
    const [, column = name, operator = 'eq'] = NAMED_FILTER.exec(name) ?? COMPARED.exec(name) ?? []
    const comparisons = filter.get(column) ?? {}
    Object.assign(comparisons, comparison({ name, operator, value: value as string | readonly string[] }))
    filter.set(column, comparisons)
  }
  return Object.fromEntries(filter) as Record<string, ColumnComparison>
}

function comparison({ name, operator, value }: { name: string; operator: string; value: string | readonly string[] }): ColumnComparison {
  if (operator === 'in') return { in: readList(value) }
  if (typeof value !== 'string') return operator === 'eq' ? { in: value } : refuseInput([name], 'must be given once')
  if (operator !== 'null') return { [operator]: value }
  if (value !== 'true' && value !== 'false') refuseInput([name], 'must be true or false')
  return value === 'true' ? { eq: null } : { ne: null }
}

function oneOf<T extends string>(field: string, text: string | undefined, allowed: readonly T[]): T | undefined {
  if (text === undefined) return undefined
  return allowed.find((candidate) => candidate === text) ?? refuseInput([field], `must be one of ${allowed.join(', ')}`)
}
