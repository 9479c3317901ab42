import { RecentTexts } from '../recent-texts.ts'
import { sqlTokens } from '../sql-tokens.ts'

const READING_WORDS = new Set(['SELECT', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN', 'EXISTS'])

const remembered = new RecentTexts<boolean>(1024 * 1024)

/**
 * Whether a statement only reads, so that it may be sent again. What can't be told is taken for one that writes.
 * The latest ones are remembered: an application asks the same ones again and again.
 */
export function isRead(query: string): boolean {
  const known = remembered.get(query)
  if (known !== undefined) return known
  const found = onlyReads(query)
  remembered.add(query, found)
  return found
}

function onlyReads(query: string): boolean {
  for (const token of sqlTokens(query)) {
    if (token.text === '(') continue
    if (token.kind !== 'word') return false
    if (token.value !== 'WITH') return READING_WORDS.has(token.value)
    // `WITH … INSERT INTO …` writes.
    return ![...sqlTokens(query)].some(({ kind, value }) => kind === 'word' && value === 'INSERT')
  }
  return false
}

const CONTENT_TYPES: Readonly<Record<string, string>> = { CSV: 'text/csv', CSVWithNames: 'text/csv', JSONEachRow: 'application/x-ndjson', Parquet: 'application/vnd.apache.parquet', ArrowStream: 'application/vnd.apache.arrow.stream' }

/** Media type of one of ClickHouse's output formats. */
export function contentTypeOf(format: string): string {
  return CONTENT_TYPES[format] ?? 'application/octet-stream'
}
