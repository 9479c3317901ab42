import type { SqlToken } from '../sql-tokens.ts'

/** The tables that a query names. */
export interface TablesRead {
  readonly named: readonly TableReference[]
}

/** A table as a query names it. */
export interface TableReference {
  /** Undefined where the query leaves it out. */
  readonly database: string | undefined
  readonly name: string
  /** Whether the query also has a subquery of that name (`WITH name AS (…)`), which the reference may mean instead. */
  readonly maybeSubquery: boolean
}

const setOf = (words: string): ReadonlySet<string> => new Set(words.split(' '))

const BEGINS_QUERY = setOf('SELECT WITH FROM EXPLAIN')
/** After these a list of tables has ended, until the next FROM or JOIN. */
const ENDS_TABLES = setOf('WHERE PREWHERE GROUP ORDER HAVING LIMIT SETTINGS UNION EXCEPT INTERSECT WINDOW QUALIFY FORMAT SELECT INTO')
/** Table functions that read nothing but their arguments; a query inside of one is found by its own FROM. */
const READS_NOTHING = setOf('NUMBERS NUMBERS_MT ZEROS ZEROS_MT GENERATE_SERIES GENERATESERIES GENERATERANDOM VALUES NULL VIEW')
/** Functions that read a table which is named in a text: `joinGet('db.t', …)`, `dictGet('d', …)`. */
const READS_BY_NAME = /^(?:JOINGET|DICT)/
/** Before these words no operand can stand, so an IN behind them is a function: `in(x, t)`. */
const NO_OPERAND = setOf('SELECT DISTINCT WHERE PREWHERE HAVING AND OR ON WHEN BY')

/**
 * The tables that a SELECT names, or `any` where that can't be told from its text. Rather too many than too few: a name
 * that is none (the alias of a column behind `IN`, say) is reported as well, and counts as unknown to whoever looks it up.
 */
export function findTables(tokens: readonly SqlToken[]): TablesRead | 'any' {
  return new TableSearch(tokens).run()
}

/** An open bracket, or the query itself. */
interface Level {
  /** Whether it holds a query: elsewhere a FROM is part of a function, as in `extract(year FROM at)`. */
  readonly query: boolean
  /** Whether a comma is followed by a table. */
  inTables: boolean
}

class TableSearch {
  readonly #tokens: readonly SqlToken[]
  readonly #named: { database: string | undefined; name: string }[] = []
  readonly #levels: Level[] = [{ query: true, inTables: false }]

  constructor(tokens: readonly SqlToken[]) {
    this.#tokens = tokens
  }

  run(): TablesRead | 'any' {
    for (let index = 0; index < this.#tokens.length; index++) if (!this.#look(index)) return 'any'
    const subqueries = this.#subqueries()
    return {
      named: this.#named.map(({ database, name }) => ({ database, name, maybeSubquery: database === undefined && subqueries.has(name) })),
    }
  }

  /** Takes one token in; false when nobody can tell any more what the query reads. */
  #look(index: number): boolean {
    const { kind, value, text } = this.#tokens[index] as SqlToken
    if (text === '(') this.#levels.push({ query: this.#holdsQuery(index), inTables: false })
    else if (text === ')' && this.#levels.length > 1) this.#levels.pop()
    else if (text === ',' && this.#level.inTables) return this.#table(index + 1)
    if (kind !== 'word' || this.#isName(index)) return true
    if (value === 'FROM') return this.#comparesDistinct(index) || !this.#level.query || this.#beginTables(index)
    if (value === 'JOIN') return this.#word(index - 1) === 'ARRAY' ? this.#endTables() : this.#beginTables(index)
    if (value === 'IN') return this.#in(index)
    if (ENDS_TABLES.has(value)) return this.#endTables()
    return !(READS_BY_NAME.test(value) && this.#text(index + 1) === '(')
  }

  #beginTables(index: number): boolean {
    this.#level.inTables = true
    return this.#table(index + 1)
  }

  #endTables(): true {
    this.#level.inTables = false
    return true
  }

  /** Takes in what stands where a table is expected. */
  #table(index: number): boolean {
    const first = this.#tokens[index]
    // A subquery is looked at on its own; a bracket around a join, or a parameter for the name, can't be told.
    if (first?.text === '(') return this.#holdsQuery(index)
    if (!this.#isNameToken(index)) return first === undefined
    return this.#text(index + 1) === '(' ? READS_NOTHING.has((first as SqlToken).value) : this.#name(index)
  }

  /** `x IN table` reads it as well; lists, arrays and values are none. */
  #in(index: number): boolean {
    const next = index + 1
    if (this.#text(next) === '(') return !this.#isFunctionCall(index)
    if (this.#text(next) === '{') return this.#word(next + 3) !== 'IDENTIFIER'
    if (!this.#isNameToken(next) || this.#text(next + 1) === '(') return true
    return this.#name(next)
  }

  #name(index: number): boolean {
    const first = nameOf(this.#tokens[index] as SqlToken)
    if (this.#text(index + 1) !== '.') {
      this.#named.push({ database: undefined, name: first })
      return true
    }
    if (!this.#isNameToken(index + 2) || this.#text(index + 3) === '.') return false
    this.#named.push({ database: first, name: nameOf(this.#tokens[index + 2] as SqlToken) })
    return true
  }

  #holdsQuery(index: number): boolean {
    const inside = this.#tokens.slice(index).find(({ text }) => text !== '(')
    return inside?.kind === 'word' && BEGINS_QUERY.has(inside.value)
  }

  /** A key word that is used as a name: behind a dot, behind AS, or before a dot. */
  #isName(index: number): boolean {
    return this.#text(index - 1) === '.' || this.#text(index + 1) === '.' || this.#word(index - 1) === 'AS'
  }

  /** `a IS [NOT] DISTINCT FROM b`. */
  #comparesDistinct(index: number): boolean {
    return this.#word(index - 1) === 'DISTINCT' && ['IS', 'NOT'].includes(this.#word(index - 2) ?? '')
  }

  #isFunctionCall(index: number): boolean {
    const before = this.#tokens[index - 1]
    if (before === undefined) return true
    return before.kind === 'sign' ? !')]}'.includes(before.text) : before.kind === 'word' && NO_OPERAND.has(before.value)
  }

  /** Names of `WITH name AS (…)`, and of anything else that looks like it. */
  #subqueries(): Set<string> {
    const found = this.#tokens.flatMap((token, index) =>
      this.#isNameToken(index) && this.#word(index + 1) === 'AS' && this.#text(index + 2) === '(' ? [nameOf(token)] : [],
    )
    return new Set(found)
  }

  get #level(): Level {
    return this.#levels.at(-1) as Level
  }

  #text(index: number): string | undefined {
    return this.#tokens[index]?.text
  }

  #word(index: number): string | undefined {
    const token = this.#tokens[index]
    return token?.kind === 'word' ? token.value : undefined
  }

  #isNameToken(index: number): boolean {
    const kind = this.#tokens[index]?.kind
    return kind === 'word' || kind === 'name'
  }
}

/** The name that a token stands for. */
export function nameOf(token: SqlToken): string {
  return token.kind === 'word' ? token.text : token.value
}
