/** A place in a query where a value belongs. */
export type Placeholder =
  /** `:name`: its type follows from the value. */
  | { readonly kind: 'named'; readonly name: string; readonly start: number; readonly end: number }
  /** `$1`: counted from 1; its type follows from the value. */
  | { readonly kind: 'positional'; readonly index: number; readonly start: number; readonly end: number }
  /** `{name:Type}`: ClickHouse's own form, left as it is. */
  | { readonly kind: 'server'; readonly name: string; readonly type: string; readonly start: number; readonly end: number }

/**
 * Finds the places of a query's values, by ClickHouse's own lexical rules: what stands in strings, quoted identifiers,
 * comments and heredocs is no place, nor is what follows the `FORMAT` of an `INSERT`.
 *
 * A colon makes a parameter when a name follows it directly and no operand comes before it. So these are none: the cast
 * `x::Int8`, the JSON path `j.a.:Int64`, the entry `{'a':b}`, and the second half of `c ? a : b`, however it is spaced.
 */
export function findPlaceholders(query: string): Placeholder[] {
  const scan = new PlaceholderScan(query)
  while (scan.step());
  return scan.found
}

// Before these words stands an operator or a clause, so that an operand, and with it a parameter, may follow.
const NOT_OPERANDS = new Set(
  'AND OR NOT IN LIKE ILIKE REGEXP BETWEEN IS DIV MOD THEN ELSE WHEN CASE INTERVAL SELECT DISTINCT WHERE PREWHERE HAVING QUALIFY ON BY LIMIT OFFSET FROM SAMPLE ARRAY JOIN WITH GLOBAL SET VALUES TO STEP'.split(' '),
)

const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy
const NUMBER = /\d[\w.]*/y
const NAME_AFTER_COLON = /:([A-Za-z_]\w*)/y
const POSITION = /\$(\d+)(?![\w$])/y
const HEREDOC_START = /\$\w*\$/y
const SERVER_PARAMETER = /\{\s*([A-Za-z_]\w*)\s*:/y

const CLOSING_QUOTE: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '‘': '’', '“': '”' }

/** What came last, as far as it tells whether an operand may follow. */
type Before = 'operator' | 'operand' | 'word' | 'dot'

class PlaceholderScan {
  readonly found: Placeholder[] = []
  readonly #query: string
  #at = 0
  #before: Before = 'operator'
  #lastWord = ''
  #firstWord = ''
  /** For each open bracket, how many `?` wait for their colon. */
  readonly #openTernaries = [0]

  constructor(query: string) {
    this.#query = query
  }

  /** Goes on by one token; false at the end. */
  step(): boolean {
    const character = this.#query[this.#at]
    if (character === undefined) return false
    if (/\s/.test(character)) this.#at++
    else if (!this.#skipComment() && !this.#skipHeredoc()) this.#token(character)
    return true
  }

  #token(character: string): void {
    const closingQuote = CLOSING_QUOTE[character]
    if (closingQuote !== undefined) return this.#finish(this.#endOfQuote(closingQuote), 'operand')
    if (character === ':') return this.#colon()
    if (character === '?') return this.#question()
    if (character === '{' && this.#serverParameter()) return
    if ('([{'.includes(character)) this.#openTernaries.push(0)
    if (')]}'.includes(character)) {
      if (this.#openTernaries.length > 1) this.#openTernaries.pop()
      return this.#finish(this.#at + 1, 'operand')
    }
    const position = this.#match(POSITION)
    if (position) return this.#add({ kind: 'positional', index: Number(position[1]), start: this.#at, end: POSITION.lastIndex })
    if (this.#match(NUMBER)) return this.#finish(NUMBER.lastIndex, 'operand')
    const word = this.#match(WORD)
    if (word) return this.#word(word[0])
    this.#finish(this.#at + 1, character === '.' ? 'dot' : 'operator')
  }

  #colon(): void {
    if (this.#query[this.#at + 1] === ':') return this.#finish(this.#at + 2, 'operator')
    const name = this.#match(NAME_AFTER_COLON)?.[1]
    const directlyAfterWord = this.#before === 'word' && /[\p{L}\p{N}_$]/u.test(this.#query[this.#at - 1] ?? '')
    if (name === undefined || directlyAfterWord || this.#before === 'operand' || this.#before === 'dot' || this.#endsTernary()) {
      if (this.#before !== 'dot') this.#closeTernary()
      return this.#finish(this.#at + 1, 'operator')
    }
    this.#add({ kind: 'named', name, start: this.#at, end: NAME_AFTER_COLON.lastIndex })
  }

  /** `c ? a :b`: after a word that is an operand, the colon belongs to the open `?`. */
  #endsTernary(): boolean {
    return this.#before === 'word' && (this.#openTernaries.at(-1) ?? 0) > 0 && !NOT_OPERANDS.has(this.#lastWord)
  }

  #closeTernary(): void {
    const open = this.#openTernaries.at(-1) ?? 0
    if (open > 0) this.#openTernaries[this.#openTernaries.length - 1] = open - 1
  }

  #question(): void {
    this.#openTernaries[this.#openTernaries.length - 1] = (this.#openTernaries.at(-1) ?? 0) + 1
    this.#finish(this.#at + 1, 'operator')
  }

  #serverParameter(): boolean {
    const name = this.#match(SERVER_PARAMETER)?.[1]
    if (name === undefined) return false
    const end = this.#endOfType(SERVER_PARAMETER.lastIndex)
    if (end === -1) return false
    this.#add({ kind: 'server', name, type: this.#query.slice(SERVER_PARAMETER.lastIndex, end).trim(), start: this.#at, end: end + 1 })
    return true
  }

  /** The brace that ends a `{name:Type}`; quotes in the type (enum entries, time zones) may hold one. */
  #endOfType(from: number): number {
    for (let at = from; at < this.#query.length; at++) {
      const character = this.#query[at]
      if (character === '}') return at
      if (character === "'" || character === '`') at = endOfQuote(this.#query, at, character) - 1
    }
    return -1
  }

  #word(word: string): void {
    this.#lastWord = word.toUpperCase()
    this.#firstWord ||= this.#lastWord
    const insertData = this.#firstWord === 'INSERT' && this.#lastWord === 'FORMAT' && this.#before !== 'dot'
    this.#finish(insertData ? this.#query.length : this.#at + word.length, this.#before === 'dot' ? 'operand' : 'word')
  }

  #add(placeholder: Placeholder): void {
    this.found.push(placeholder)
    this.#finish(placeholder.end, 'operand')
  }

  #finish(end: number, before: Before): void {
    this.#at = end
    this.#before = before
  }

  #skipComment(): boolean {
    const query = this.#query
    if (query.startsWith('/*', this.#at)) {
      this.#at = endOfBlockComment(query, this.#at)
      return true
    }
    if (!query.startsWith('--', this.#at) && !/^(?:\/\/|#[ !])/.test(query.slice(this.#at, this.#at + 2))) return false
    const newline = query.indexOf('\n', this.#at)
    this.#at = newline === -1 ? query.length : newline + 1
    return true
  }

  #skipHeredoc(): boolean {
    const tag = this.#match(HEREDOC_START)?.[0]
    const end = tag === undefined ? -1 : this.#query.indexOf(tag, this.#at + tag.length)
    if (tag === undefined || end === -1) return false
    this.#finish(end + tag.length, 'operand')
    return true
  }

  #endOfQuote(closing: string): number {
    return endOfQuote(this.#query, this.#at, closing)
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    return pattern.exec(this.#query)
  }
}

/** Just behind the closing quote. Inside, a backslash escapes and a doubled quote stands for itself. */
function endOfQuote(query: string, start: number, closing: string): number {
  for (let at = start + 1; at < query.length; at++) {
    if (query[at] === '\\' && closing.charCodeAt(0) < 128) at++
    else if (query[at] === closing) {
      if (query[at + 1] !== closing) return at + 1
      at++
    }
  }
  return query.length
}

/** Just behind the end of a block comment; they nest. */
function endOfBlockComment(query: string, start: number): number {
  let depth = 0
  for (let at = start; at < query.length; at++) {
    if (query.startsWith('/*', at)) {
      depth++
      at++
    } else if (query.startsWith('*/', at)) {
      depth--
      at++
      if (depth === 0) return at + 1
    }
  }
  return query.length
}
