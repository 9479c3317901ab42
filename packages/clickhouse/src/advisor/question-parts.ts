import { type SqlToken, sqlTokens } from '../sql-tokens.ts'

/** How a column is compared with values. */
export type FilterKind = 'equals' | 'range' | 'text' | 'function'

/** A column that a question filters by. */
export interface FilteredColumn {
  readonly column: string
  readonly kind: FilterKind
}

/** What of a question decides which index, order or rollup would help it. */
export interface QuestionParts {
  readonly filters: readonly FilteredColumn[]
  /** Expressions of GROUP BY, as they are written. */
  readonly groupBy: readonly string[]
  /** Expressions of ORDER BY, as they are written. */
  readonly orderBy: readonly string[]
  /** Expressions of the answer with their aliases, as they are written. */
  readonly select: readonly string[]
  /** Where it begins and ends in the text; empty when there is none. */
  readonly where: string
  /** Whether it is one plain SELECT of one table: no join, no subquery, no union. */
  readonly isPlain: boolean
}

const ENDS: ReadonlySet<string> = new Set('FROM WHERE PREWHERE GROUP ORDER HAVING LIMIT SETTINGS UNION EXCEPT INTERSECT WINDOW QUALIFY FORMAT OFFSET'.split(' '))
const NOT_PLAIN: ReadonlySet<string> = new Set('JOIN UNION EXCEPT INTERSECT WITH ARRAY WINDOW QUALIFY'.split(' '))
const RANGES: ReadonlySet<string> = new Set(['<', '>', 'BETWEEN'])
const NO_NAMES: ReadonlySet<string> = new Set('AND OR NOT IN LIKE ILIKE BETWEEN IS NULL INTERVAL GLOBAL CASE WHEN THEN ELSE END TRUE FALSE'.split(' '))

/** Takes a SELECT apart. Reads the text alone: what it doesn't understand it leaves out. */
export function questionParts(query: string): QuestionParts {
  const tokens = [...sqlTokens(query)]
  const outer = clausesOf(query, tokens)
  const selects = tokens.filter(({ kind, value }) => kind === 'word' && value === 'SELECT').length
  return {
    filters: filtersOf(tokens),
    groupBy: outer('GROUP', 'BY'),
    orderBy: outer('ORDER', 'BY'),
    select: outer('SELECT'),
    where: outer('WHERE').join(', '),
    isPlain: selects === 1 && tokens[0]?.value === 'SELECT' && !tokens.some(({ kind, value }) => kind === 'word' && NOT_PLAIN.has(value)),
  }
}

/** The items of a clause that lies in no bracket. */
function clausesOf(query: string, tokens: readonly SqlToken[]): (...words: readonly string[]) => string[] {
  return (...words) => {
    const start = indexOutside(tokens, 0, (index) => words.every((word, offset) => isWord(tokens[index + offset], word)))
    if (start === -1) return []
    const from = start + words.length
    const end = indexOutside(tokens, from, (index) => tokens[index]?.kind === 'word' && ENDS.has(tokens[index].value))
    return cutAtCommas(query, tokens.slice(from, end === -1 ? undefined : end))
  }
}

const isWord = (token: SqlToken | undefined, word: string): boolean => token?.kind === 'word' && token.value === word

function indexOutside(tokens: readonly SqlToken[], from: number, isIt: (index: number) => boolean): number {
  let depth = 0
  for (let index = from; index < tokens.length; index++) {
    const text = tokens[index]?.text
    if (text === '(' || text === '[') depth += 1
    else if (text === ')' || text === ']') depth -= 1
    else if (depth === 0 && isIt(index)) return index
  }
  return -1
}

function cutAtCommas(query: string, tokens: readonly SqlToken[]): string[] {
  const items: string[] = []
  let depth = 0
  let first: SqlToken | undefined
  let last: SqlToken | undefined
  const finish = (): void => {
    if (first !== undefined && last !== undefined) items.push(query.slice(first.start, last.end))
    first = undefined
  }
  for (const token of tokens) {
    if (token.text === ',' && depth === 0) {
      finish()
      continue
    }
    if (token.text === '(' || token.text === '[') depth += 1
    if (token.text === ')' || token.text === ']') depth -= 1
    first ??= token
    last = token
  }
  finish()
  return items
}

/** Columns that stand beside a comparison behind WHERE or PREWHERE, at whatever depth. */
function filtersOf(tokens: readonly SqlToken[]): FilteredColumn[] {
  const found = new Map<string, FilteredColumn>()
  let inWhere = false
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'word' && (token.value === 'WHERE' || token.value === 'PREWHERE')) inWhere = true
    else if (token.kind === 'word' && ENDS.has(token.value)) inWhere = false
    if (!inWhere || !isColumn(tokens, index)) continue
    const kind = comparisonAt(tokens, index + 1) ?? functionAround(tokens, index)
    const column = token.kind === 'name' ? token.value : token.text
    if (kind !== null && !found.has(`${column} ${kind}`)) found.set(`${column} ${kind}`, { column, kind })
  }
  return [...found.values()]
}

function isColumn(tokens: readonly SqlToken[], index: number): boolean {
  const token = tokens[index] as SqlToken
  if (token.kind !== 'word' && token.kind !== 'name') return false
  if (token.kind === 'word' && (NO_NAMES.has(token.value) || ENDS.has(token.value))) return false
  const next = tokens[index + 1]?.text
  return next !== '(' && next !== '.'
}

function comparisonAt(tokens: readonly SqlToken[], index: number): FilterKind | null {
  const [first, second] = [tokens[index], tokens[index + 1]]
  if (first === undefined) return null
  const word = first.kind === 'word' ? (first.value === 'NOT' ? undefined : first.value) : first.text
  if (word === undefined) return null
  if (word === '=' || word === 'IN') return 'equals'
  if (word === '<' && second?.text === '>') return null
  if (RANGES.has(word)) return 'range'
  return word === 'LIKE' || word === 'ILIKE' ? 'text' : null
}

/** A column that a function is applied to, and whose result is compared: `toDate(at) = …`, `hasToken(text, …)`. */
function functionAround(tokens: readonly SqlToken[], index: number): FilterKind | null {
  const before = tokens[index - 1]
  const name = tokens[index - 2]
  if (before?.text !== '(' || name?.kind !== 'word' || NO_NAMES.has(name.value) || ENDS.has(name.value)) return null
  if (/^(?:HASTOKEN|LIKE|ILIKE|MATCH|POSITION|STARTSWITH|ENDSWITH|MULTISEARCH)/.test(name.value)) return 'text'
  return /^TO(?:DATE|DATETIME|STARTOF|YEAR|MONDAY|YYYYMM)/.test(name.value) ? 'range' : 'function'
}
