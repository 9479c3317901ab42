import type { Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, QueryOptions, QueryParams, QueryResult } from '../adapter-options.ts'
import { findTables } from '../analytics/find-tables.ts'
import { withValues } from '../parameters/with-values.ts'
import { sqlTokens } from '../sql-tokens.ts'
import type { LoggedQuestion } from './logged-questions.ts'

/** What an adapter was asked, for servers that keep no log of queries. */
export interface QuestionLog {
  /** The adapter that notes what it is asked; give it to the analytics service. */
  readonly adapter: ClickHouseAdapter
  /** What was asked, the costliest first. */
  questions(): LoggedQuestion[]
}

interface Noted {
  readonly query: string
  readonly tables: readonly string[]
  times: number
  rows: number
  bytes: number
  elapsedMs: number
  answers: number
}

const MOST_QUESTIONS = 500

/** Notes the questions that go through an adapter: the text without values is the question, the latest few hundred are kept. */
export function recordQuestions(inner: ClickHouseAdapter): QuestionLog {
  const noted = new Map<string, Noted>()
  const note = (query: string, { rows, statistics }: QueryResult): void => {
    const tokens = [...sqlTokens(query)]
    if (tokens[0]?.value !== 'SELECT' && tokens[0]?.value !== 'WITH') return
    const key = tokens.map(({ kind, text }) => (kind === 'string' || kind === 'number' ? '?' : text)).join(' ')
    const found = findTables(tokens)
    const tables = found === 'any' ? [] : [...new Set(found.named.filter(({ maybeSubquery }) => !maybeSubquery).map(({ database, name }) => `${database ?? inner.database}.${name}`))]
    const entry = noted.get(key) ?? { query, tables, times: 0, rows: 0, bytes: 0, elapsedMs: 0, answers: 0 }
    noted.delete(key)
    if (noted.size >= MOST_QUESTIONS) noted.delete(noted.keys().next().value ?? '')
    noted.set(key, { ...entry, times: entry.times + 1, rows: entry.rows + statistics.rowsRead, bytes: entry.bytes + statistics.bytesRead, elapsedMs: entry.elapsedMs + statistics.elapsedMs, answers: entry.answers + rows.length })
  }
  const execute = async <T extends Row>(query: string, params?: QueryParams, options?: QueryOptions): Promise<QueryResult<T>> => {
    const result = await inner.execute<T>(query, params, options)
    // As the server's own log has it: what has parameters can't be asked again without their values.
    const asked = withValues(query, params ?? {})
    if (asked.isWhole) note(asked.text, result)
    return result
  }
  const adapter = new Proxy(inner, {
    get: (target, name) => {
      if (name === 'execute') return execute
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const questions = (): LoggedQuestion[] =>
    [...noted.values()]
      .sort((one, other) => other.bytes - one.bytes)
      .map(({ query, tables, times, rows, bytes, elapsedMs, answers }) => ({ query, database: inner.database, tables, times, readRows: rows / times, readBytes: bytes / times, durationMs: elapsedMs / times, resultRows: answers / times, granulesRead: 0, granules: 0 }))
  return { adapter, questions }
}
