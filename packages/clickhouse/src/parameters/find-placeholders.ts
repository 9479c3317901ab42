import { RecentTexts } from '../recent-texts.ts'
import { endOfQuote, type SqlToken, sqlTokens } from '../sql-tokens.ts'

/** A place in a query where a value belongs. */
export type Placeholder =
  /** `:name`: its type follows from the value. */
  | { readonly kind: 'named'; readonly name: string; readonly start: number; readonly end: number }
  /** `$1`: counted from 1; its type follows from the value. */
  | { readonly kind: 'positional'; readonly index: number; readonly start: number; readonly end: number }
  /** `{name:Type}`: ClickHouse's own form, left as it is. */
  | { readonly kind: 'server'; readonly name: string; readonly type: string; readonly start: number; readonly end: number }

const remembered = new RecentTexts<readonly Placeholder[]>(1024 * 1024)

/**
 * Finds the places of a query's values, by ClickHouse's own lexical rules: what stands in strings, quoted identifiers,
 * comments and heredocs is no place, nor is what follows the `FORMAT` of an `INSERT`.
 *
 * A colon makes a parameter when a name follows it directly and no operand comes before it. So these are none: the cast
 * `x::Int8`, the JSON path `j.a.:Int64`, the entry `{'a':b}`, and the second half of `c ? a : b`, however it is spaced.
 *
 * The latest queries are remembered: an application asks the same ones again and again.
 */
export function findPlaceholders(query: string): readonly Placeholder[] {
  if (!/[:$]/.test(query)) return []
  const known = remembered.get(query)
  if (known !== undefined) return known
  const found = new PlaceholderScan(query).run()
  remembered.add(query, found)
  return found
}

// Behind these words an operand, and with it a parameter, may stand; any other word is an operand itself.
const NOT_OPERANDS = new Set(
  'AND OR NOT IN LIKE ILIKE REGEXP BETWEEN IS DIV MOD THEN ELSE WHEN CASE INTERVAL SELECT DISTINCT WHERE PREWHERE HAVING QUALIFY ON BY LIMIT OFFSET FROM SAMPLE ARRAY JOIN WITH GLOBAL SET VALUES TO STEP'.split(' '),
)

const SERVER_PARAMETER = /\{\s*([A-Za-z_]\w*)\s*:/y
const PARAMETER_NAME = /^[A-Za-z_]\w*$/

/** What came last, as far as it tells whether an operand may follow. */
type Before = 'operator' | 'operand' | 'word' | 'dot'

class PlaceholderScan {
  readonly #query: string
  readonly #tokens: readonly SqlToken[]
  readonly #found: Placeholder[] = []
  #index = 0
  #before: Before = 'operator'
  #lastWord = ''
  /** For each open bracket, how many `?` wait for their colon. */
  readonly #openTernaries = [0]

  constructor(query: string) {
    this.#query = query
    this.#tokens = [...sqlTokens(query)]
  }

  run(): readonly Placeholder[] {
    const isInsert = this.#tokens[0]?.value === 'INSERT'
    for (let token = this.#tokens[0]; token !== undefined; token = this.#tokens[this.#index]) {
      if (isInsert && token.kind === 'word' && token.value === 'FORMAT' && this.#before !== 'dot') break
      this.#step(token)
    }
    return this.#found
  }

  #step(token: SqlToken): void {
    if (token.kind === 'word') {
      this.#lastWord = token.value
      return this.#advance(1, this.#before === 'dot' ? 'operand' : 'word')
    }
    if (token.kind !== 'sign') return this.#advance(1, 'operand')
    switch (token.text) {
      case ':':
        return this.#colon(token)
      case '$':
        return this.#dollar(token)
      case '?':
        this.#openTernaries.push((this.#openTernaries.pop() ?? 0) + 1)
        return this.#advance(1, 'operator')
      case '{':
        if (!this.#serverParameter(token)) this.#open()
        return
      case '(':
      case '[':
        return this.#open()
      case ')':
      case ']':
      case '}':
        if (this.#openTernaries.length > 1) this.#openTernaries.pop()
        return this.#advance(1, 'operand')
      default:
        return this.#advance(1, token.text === '.' ? 'dot' : 'operator')
    }
  }

  #open(): void {
    this.#openTernaries.push(0)
    this.#advance(1, 'operator')
  }

  #colon(token: SqlToken): void {
    const next = this.#adjacent(token)
    if (next?.text === ':') return this.#advance(2, 'operator')
    const isName = next?.kind === 'word' && PARAMETER_NAME.test(next.text)
    const directlyAfterWord = this.#before === 'word' && this.#tokens[this.#index - 1]?.end === token.start
    if (!isName || directlyAfterWord || this.#before === 'operand' || this.#before === 'dot' || this.#endsTernary()) {
      if (this.#before !== 'dot') this.#closeTernary()
      return this.#advance(1, 'operator')
    }
    this.#add({ kind: 'named', name: next.text, start: token.start, end: next.end }, 2)
  }

  /** `c ? a :b`: after a word that is an operand, the colon belongs to the open `?`. */
  #endsTernary(): boolean {
    return this.#before === 'word' && (this.#openTernaries.at(-1) ?? 0) > 0 && !NOT_OPERANDS.has(this.#lastWord)
  }

  #closeTernary(): void {
    const open = this.#openTernaries.pop() ?? 0
    this.#openTernaries.push(Math.max(open - 1, 0))
  }

  #dollar(token: SqlToken): void {
    const number = this.#adjacent(token)
    const follower = number && this.#adjacent(number, 1)
    const isPosition = number?.kind === 'number' && /^\d+$/.test(number.text) && follower?.text !== '$'
    if (!isPosition) return this.#advance(1, 'operator')
    this.#add({ kind: 'positional', index: Number(number.text), start: token.start, end: number.end }, 2)
  }

  /** A map literal has a text or a number where a parameter has its name. */
  #serverParameter(token: SqlToken): boolean {
    SERVER_PARAMETER.lastIndex = token.start
    const name = SERVER_PARAMETER.exec(this.#query)?.[1]
    const end = name === undefined ? -1 : endOfType(this.#query, SERVER_PARAMETER.lastIndex)
    if (name === undefined || end === -1) return false
    const tokens = this.#tokens.slice(this.#index).findIndex(({ start }) => start >= end)
    this.#add({ kind: 'server', name, type: this.#query.slice(SERVER_PARAMETER.lastIndex, end).trim(), start: token.start, end: end + 1 }, tokens + 1)
    return true
  }

  /** The token that follows with nothing in between. */
  #adjacent(token: SqlToken, distance = 0): SqlToken | undefined {
    const next = this.#tokens[this.#index + distance + 1]
    return next?.start === token.end ? next : undefined
  }

  #add(placeholder: Placeholder, tokens: number): void {
    this.#found.push(placeholder)
    this.#advance(tokens, 'operand')
  }

  #advance(tokens: number, before: Before): void {
    this.#index += tokens
    this.#before = before
  }
}

/** The brace that ends a `{name:Type}`; quotes in the type (enum entries, time zones) may hold one. */
function endOfType(query: string, from: number): number {
  for (let at = from; at < query.length; at++) {
    const character = query[at]
    if (character === '}') return at
    if (character === "'" || character === '`') at = endOfQuote(query, at, character) - 1
  }
  return -1
}
