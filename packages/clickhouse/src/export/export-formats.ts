import { ValidationError } from '@smart-whale/interfaces'
import { sqlTokens } from '../sql-tokens.ts'
import type { ExportFormat } from './export-options.ts'

/** What the server, a response and a file call a format. */
export interface FormatNames {
  /** ClickHouse's format in a file. */
  readonly inFile: string
  /** ClickHouse's format in a stream, where nobody can seek. */
  readonly inStream: string
  readonly contentType: string
  readonly extension: string
}

/** By the names of this package. */
export const EXPORT_FORMATS: Readonly<Record<ExportFormat, FormatNames>> = {
  csv: { inFile: 'CSVWithNames', inStream: 'CSVWithNames', contentType: 'text/csv; charset=utf-8; header=present', extension: 'csv' },
  jsonl: { inFile: 'JSONEachRow', inStream: 'JSONEachRow', contentType: 'application/x-ndjson', extension: 'jsonl' },
  parquet: { inFile: 'Parquet', inStream: 'Parquet', contentType: 'application/vnd.apache.parquet', extension: 'parquet' },
  arrow: { inFile: 'Arrow', inStream: 'ArrowStream', contentType: 'application/vnd.apache.arrow.stream', extension: 'arrow' },
}

const MEDIA_TYPES: ReadonlyMap<string, ExportFormat> = new Map([
  ['text/csv', 'csv'],
  ['application/x-ndjson', 'jsonl'],
  ['application/jsonl', 'jsonl'],
  ['application/x-jsonlines', 'jsonl'],
  ['application/vnd.apache.parquet', 'parquet'],
  ['application/x-parquet', 'parquet'],
  ['application/vnd.apache.arrow.stream', 'arrow'],
])

/**
 * Which format an `Accept` header asks for before any other. Null when that is none of these: a plain JSON answer, or anything at all.
 * @example
 * exportFormatFor('text/csv, application/json;q=0.5') // 'csv'
 */
export function exportFormatFor(accept: string | undefined): ExportFormat | null {
  const ranges = (accept ?? '').split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
    return { type, quality: Number.isNaN(quality) ? 0 : quality }
  })
  const best = ranges.filter(({ type, quality }) => quality > 0 && type !== '').reduce<{ type: string; quality: number } | null>((one, other) => (one === null || other.quality > one.quality ? other : one), null)
  return MEDIA_TYPES.get(best?.type ?? '') ?? null
}

/** @throws ValidationError for a query that names a format of its own: the answer would be in that one */
export function refuseOwnFormat(query: string): void {
  const tokens = [...sqlTokens(query)]
  const at = tokens.findLastIndex(({ kind, value }) => kind === 'word' && value === 'FORMAT')
  const name = tokens[at + 1]
  const after = tokens[at + 2]
  // `ORDER BY format DESC` and `SELECT x AS format FROM t` name a column.
  const isClause = at > 0 && name?.kind === 'word' && !['ASC', 'DESC', 'FROM'].includes(name.value) && (after === undefined || after.text === ';' || after.value === 'SETTINGS')
  if (!isClause) return
  const message = `must not name a format of its own (${name.text}); leave FORMAT out`
  throw new ValidationError(`the query of an export ${message}`, { issues: [{ path: ['query'], message }] })
}
