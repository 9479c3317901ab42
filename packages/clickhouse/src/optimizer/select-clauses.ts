import { type SqlToken, sqlTokens } from '../sql-tokens.ts'

/** Tokens that stand side by side: from the one up to, and without, the other. */
export interface TokenRange {
  readonly from: number
  readonly to: number
}

/** A clause: where its key word stands, and what follows it. */
export interface Clause extends TokenRange {
  readonly head: number
}

/** Key words that begin a clause, in the only order that is understood here. */
const CLAUSES = ['WITH', 'SELECT', 'FROM', 'PREWHERE', 'WHERE', 'GROUP', 'HAVING', 'WINDOW', 'QUALIFY', 'ORDER', 'LIMIT', 'OFFSET', 'SETTINGS', 'FORMAT', 'INTO'] as const

/** The name of a clause, by its first key word. */
export type ClauseName = (typeof CLAUSES)[number]

/** One `SELECT` of a query, with its clauses. */
export interface SelectLevel {
  readonly clauses: ReadonlyMap<ClauseName, Clause>
  /** Whether it stands in brackets behind `IN`. */
  readonly isBehindIn: boolean
}

/** A query taken apart, as far as it is understood. */
export interface TakenApart {
  readonly text: string
  readonly tokens: readonly SqlToken[]
  /** Those selects whose clauses are all understood. */
  readonly levels: readonly SelectLevel[]
}

/** Takes a query apart; without any level when it isn't a single query, or nothing of it is understood. */
export function takeApart(text: string): TakenApart {
  const all = [...sqlTokens(text)]
  const tokens = all.at(-1)?.text === ';' ? all.slice(0, -1) : all
  const first = tokens[0]
  const isQuery = first?.value === 'SELECT' || first?.value === 'WITH' || first?.text === '('
  if (!isQuery || tokens.some(({ kind, text: sign }) => kind === 'sign' && sign === ';')) return { text, tokens, levels: [] }
  const levels: SelectLevel[] = []
  const add = (range: TokenRange, isBehindIn: boolean): void => {
    const clauses = clausesOf(tokens, range)
    if (clauses !== null) levels.push({ clauses, isBehindIn })
  }
  if (first.text !== '(') add({ from: 0, to: tokens.length }, false)
  for (const [index, token] of tokens.entries()) {
    const next = tokens[index + 1]
    if (!isSign(token, '(') || next?.kind !== 'word' || (next.value !== 'SELECT' && next.value !== 'WITH')) continue
    const end = closingOf(tokens, index)
    if (end !== null) add({ from: index + 1, to: end }, isWord(tokens[index - 1], 'IN'))
  }
  return { text, tokens, levels }
}

/** Whether a token is that key word, or that name. */
export function isWord(token: SqlToken | undefined, word: string): boolean {
  return token?.kind === 'word' && token.value === word
}

/** Whether a token is that sign. */
export function isSign(token: SqlToken | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.text === sign
}

/** Where the bracket closes that opens there. */
function closingOf(tokens: readonly SqlToken[], open: number): number | null {
  for (const [index, depth] of depths(tokens, { from: open, to: tokens.length })) if (depth === 0 && index > open) return index
  return null
}

/** The depth of brackets at each token: an opening one counts as being outside of itself, so does a closing one. */
export function* depths(tokens: readonly SqlToken[], { from, to }: TokenRange): Generator<[index: number, depth: number]> {
  let depth = 0
  for (let index = from; index < to; index++) {
    const token = tokens[index] as SqlToken
    const isBracket = token.kind === 'sign'
    if (isBracket && /^[)\]}]$/.test(token.text)) depth--
    yield [index, depth]
    if (isBracket && /^[([{]$/.test(token.text)) depth++
  }
}

/** Two queries made one, or a grouping that has more rows than groups. */
const NOT_UNDERSTOOD = new Set(['UNION', 'INTERSECT', 'EXCEPT', 'FETCH', 'ROLLUP', 'CUBE', 'TOTALS', 'INTERPOLATE', 'PARALLEL'])
/** Behind these a bracket makes the word a function's, or a column's, name. */
const MAY_BE_FUNCTIONS = new Set(['FORMAT', 'WINDOW', 'OFFSET', 'SETTINGS', 'INTO'])

function clausesOf(tokens: readonly SqlToken[], range: TokenRange): ReadonlyMap<ClauseName, Clause> | null {
  const heads: { name: ClauseName; head: number; from: number }[] = []
  for (const [index, depth] of depths(tokens, range)) {
    const token = tokens[index] as SqlToken
    if (depth < 0) return null
    if (depth > 0 || token.kind !== 'word' || isSign(tokens[index - 1], '.')) continue
    if (NOT_UNDERSTOOD.has(token.value)) return null
    const name = CLAUSES.find((clause) => clause === token.value)
    if (name === undefined || (MAY_BE_FUNCTIONS.has(name) && isSign(tokens[index + 1], '('))) continue
    if (isWord(tokens[index - 1], 'AS') || isSign(tokens[index + 1], '.')) return null
    const isTwoWords = name === 'GROUP' || name === 'ORDER'
    if (isTwoWords && !isWord(tokens[index + 1], 'BY')) return null
    const last = heads.at(-1)
    if (last !== undefined && CLAUSES.indexOf(name) <= CLAUSES.indexOf(last.name)) return null
    heads.push({ name, head: index, from: index + (isTwoWords ? 2 : 1) })
  }
  const clauses = new Map(heads.map(({ name, head, from }, place) => [name, { head, from, to: heads[place + 1]?.head ?? range.to }] as const))
  const isWhole = clauses.has('SELECT') && heads[0]?.head === range.from && [...clauses.values()].every(({ from, to }) => from < to)
  return isWhole ? clauses : null
}

/** Parts a range at a separator that stands in no bracket. */
export function partsOf(tokens: readonly SqlToken[], range: TokenRange, isSeparator: (token: SqlToken) => boolean): TokenRange[] {
  const parts: TokenRange[] = []
  let from = range.from
  for (const [index, depth] of depths(tokens, range)) {
    if (depth !== 0 || !isSeparator(tokens[index] as SqlToken)) continue
    parts.push({ from, to: index })
    from = index + 1
  }
  return [...parts, { from, to: range.to }]
}

/** The parts of a list. */
export function itemsOf(tokens: readonly SqlToken[], range: TokenRange): TokenRange[] {
  return partsOf(tokens, range, (token) => isSign(token, ','))
}

/** The name of a column that stands alone, with what it is qualified by; null for anything else. */
export function columnName(tokens: readonly SqlToken[], { from, to }: TokenRange): string | null {
  const parts: string[] = []
  for (let index = from; index < to; index++) {
    const token = tokens[index] as SqlToken
    const isDot = (index - from) % 2 === 1
    if (isDot ? !isSign(token, '.') : token.kind !== 'word' && token.kind !== 'name') return null
    if (!isDot) parts.push(JSON.stringify(token.kind === 'name' ? token.value : token.text))
  }
  const isLiteral = parts.length === 1 && /^"(?:null|true|false|inf|nan|all)"$/i.test(parts[0] ?? '')
  return parts.length === 0 || (to - from) % 2 === 0 || isLiteral ? null : parts.join('.')
}

/** Whether two ranges say the same. */
export function wordsOf(tokens: readonly SqlToken[], { from, to }: TokenRange): string {
  return JSON.stringify(tokens.slice(from, to).map(({ kind, text, value }) => (kind === 'name' ? ['word', value] : [kind, text])))
}
