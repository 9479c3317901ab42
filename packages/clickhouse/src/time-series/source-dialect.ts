import { type CallOptions, type Row, ValidationError } from '@smart-whale/interfaces'
import { quoteName, quoteTableName } from '../adapter/table-columns.ts'
import { type Microseconds, textOfMoment } from './moments.ts'
import type { TimeSeriesSource } from './time-series-options.ts'

/** The name that a row's time has in what is read: in microseconds. */
export const MOMENT = 'smart_whale_moment'

/** Reads a range of a table, both ends included, by time. */
export interface SourceReader {
  read(from: Microseconds, to: Microseconds): AsyncIterable<Row>
}

/** Finds out which SQL the source speaks, and how it keeps its time. */
export async function openSource(source: TimeSeriesSource, table: string, timestamp: string, call: CallOptions): Promise<SourceReader> {
  const [found] = await source.execute<Row & { version: string }>('SELECT version() AS version', [], call)
  const { query, bind } = String(found?.version).startsWith('PostgreSQL') ? await postgresQuery(source, table, timestamp, call) : clickhouseQuery(table, timestamp)
  return { read: (from, to) => source.stream(query, [bind(from), bind(to)], call) }
}

interface RangeQuery {
  readonly query: string
  readonly bind: (moment: Microseconds) => string
}

const POSTGRES_TIMES = new Set(['timestamp with time zone', 'timestamp without time zone', 'date'])

async function postgresQuery(source: TimeSeriesSource, table: string, timestamp: string, call: CallOptions): Promise<RangeQuery> {
  const from = table.split('.').map(quoteForPostgres).join('.')
  const column = quoteForPostgres(timestamp)
  const [{ type = '' } = {}] = await source.execute<Row & { type: string }>(`SELECT pg_typeof((SELECT ${column} FROM ${from} LIMIT 1))::text AS type`, [], call)
  if (!POSTGRES_TIMES.has(type)) throw noTime(timestamp, type)
  // A day is its first moment. What has no zone is read as UTC, whatever the session's zone is.
  const bound = type === 'timestamp with time zone' ? 'timestamptz' : 'timestamp'
  return {
    query: `SELECT (extract(epoch FROM ${column}) * 1000000)::bigint AS ${MOMENT}, * FROM ${from} WHERE ${column} >= $1::${bound} AND ${column} <= $2::${bound} ORDER BY ${column}`,
    bind: (moment) => `${textOfMoment(moment)}+00`,
  }
}

function clickhouseQuery(table: string, timestamp: string): RangeQuery {
  const column = `toDateTime64(${quoteName(timestamp)}, 6, 'UTC')`
  return {
    query: `SELECT toUnixTimestamp64Micro(${column}) AS ${MOMENT}, * FROM ${quoteTableName(table)} WHERE ${column} >= toDateTime64($1, 6, 'UTC') AND ${column} <= toDateTime64($2, 6, 'UTC') ORDER BY ${MOMENT}`,
    bind: textOfMoment,
  }
}

function quoteForPostgres(name: string): string {
  if (name !== '' && !name.includes('\0')) return `"${name.replaceAll('"', '""')}"`
  throw new ValidationError('a table or column has an empty name', { issues: [{ path: ['table'], message: 'must not be empty' }] })
}

function noTime(timestamp: string, type: string): ValidationError {
  const message = `must be a timestamptz, timestamp or date column, "${timestamp}" is ${type}`
  return new ValidationError(`mapping.timestamp ${message}`, { issues: [{ path: ['mapping', 'timestamp'], message }] })
}
