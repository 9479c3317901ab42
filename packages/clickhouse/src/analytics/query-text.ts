import { RecentTexts } from '../recent-texts.ts'
import { digest } from '../stable-digest.ts'
import { type SqlToken, sqlTokens } from '../sql-tokens.ts'
import { findTables, nameOf, type TablesRead } from './find-tables.ts'

/** What can be told of a query from its text alone. */
export interface QueryText {
  /** Equal for queries that differ only in spaces and comments. */
  readonly hash: string
  /** Whether it begins as a statement that reads. */
  readonly reads: boolean
  readonly tables: TablesRead | 'any'
}

const READING_WORDS = new Set(['SELECT', 'WITH', 'FROM', 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN'])
/** Statements whose tables `findTables` understands. */
const SELECTING_WORDS = new Set(['SELECT', 'WITH', 'FROM'])

const remembered = new RecentTexts<QueryText>(8 * 1024 * 1024)

/** What the text of a query tells. The latest are remembered: an application asks the same ones again and again. */
export function describeQuery(text: string): QueryText {
  const known = remembered.get(text)
  if (known !== undefined) return known
  const described = describe([...sqlTokens(text)])
  remembered.add(text, described)
  return described
}

function describe(all: readonly SqlToken[]): QueryText {
  const end = all.findLastIndex(({ text }) => text !== ';') + 1
  const tokens = all.slice(0, end)
  const first = tokens.find(({ text }) => text !== '(')
  return {
    hash: digest(normalise(tokens)),
    reads: first?.kind === 'word' && READING_WORDS.has(first.value),
    tables: first?.kind === 'word' && SELECTING_WORDS.has(first.value) ? findTables(tokens) : 'any',
  }
}

/** Any run of spaces and comments counts as one space: no rule of the language tells them apart. */
function normalise(tokens: readonly SqlToken[]): string {
  return tokens.map((token, index) => (index > 0 && token.start > (tokens[index - 1]?.end ?? 0) ? ` ${token.text}` : token.text)).join('')
}

/** The table that a materialized view writes to, as `database.table`, by its `CREATE` statement; undefined for one that keeps its rows itself. */
export function materializedInto(createStatement: string): string | undefined {
  const tokens = [...sqlTokens(createStatement)]
  const end = tokens.findIndex(({ kind, value, text }) => text === '(' || (kind === 'word' && (value === 'AS' || value === 'ENGINE')))
  const to = tokens.slice(0, Math.max(end, 0)).findIndex(({ kind, value }) => kind === 'word' && value === 'TO')
  if (to === -1) return undefined
  const [database, dot, table] = tokens.slice(to + 1)
  return database === undefined || dot?.text !== '.' || table === undefined ? undefined : `${nameOf(database)}.${nameOf(table)}`
}
