import type { Choices } from '../query-builder/choices.ts'

const COLUMNS = ['id', 'a', 'b', 's', 'f', 'd', 'm']
const NUMBERS = ['id', 'a', 'b', 'f']
const GAPS = [' ', ' ', ' ', '\n', ' /* AND a = 1 */ ', ' -- WHERE 1\n']

/** SQL text as people and programs write it: with repetitions, needless clauses, odd spacing, names that are given twice. Mostly valid. */
export class RandomSql {
  readonly #choices: Choices

  constructor(choices: Choices) {
    this.#choices = choices
  }

  /** A query. */
  query(depth = 2): string {
    const choices = this.#choices
    const text = choices.chance(0.5) ? this.#grouped(depth) : this.#rows(depth)
    if (depth === 2 && choices.chance(0.08)) return `${text}${this.#gap()}UNION ALL${this.#gap()}${text}`
    if (depth === 2 && choices.chance(0.1)) return `SELECT count() AS n, min(x1) AS x FROM (SELECT *, 1 AS x1 FROM (${text}))`
    return choices.chance(0.1) ? `${text} ;` : text
  }

  #gap(): string {
    return this.#choices.of(GAPS)
  }

  #clauses(parts: readonly (string | false)[]): string {
    return parts.filter((part) => part !== false).reduce((text, part) => `${text}${this.#gap()}${this.#cased(part)}`)
  }

  /** Key words in small letters now and then. */
  #cased(clause: string): string {
    return this.#choices.chance(0.2) ? clause.replace(/^(SELECT|DISTINCT|FROM|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT)\b/, (word) => word.toLowerCase()) : clause
  }

  #source(depth: number): { from: string; prefix: string } {
    const choices = this.#choices
    if (depth > 0 && choices.chance(0.15)) return { from: `FROM (${this.#rowsOf(COLUMNS, depth - 1)})`, prefix: '' }
    if (choices.chance(0.2)) return { from: 'FROM t AS t1', prefix: choices.chance(0.5) ? 't1.' : '' }
    if (choices.chance(0.1)) return { from: `FROM t ${choices.of(['ANY', 'ALL'])} LEFT JOIN (SELECT k, any(label) AS label FROM u GROUP BY k) AS u1 ON t.b = u1.k`, prefix: 't.' }
    return { from: 'FROM t', prefix: '' }
  }

  #rows(depth: number): string {
    const choices = this.#choices
    const { from, prefix } = this.#source(depth)
    if (choices.chance(0.25)) {
      const select = choices.of(['*', '*', `${prefix === '' ? '' : prefix}*`, '*, b + 1 AS more', '*, b AS s', 'id, *'])
      return this.#clauses([choices.chance(0.2) && this.#with(), `SELECT ${choices.chance(0.1) ? 'DISTINCT ' : ''}${select}`, from, this.#where(depth, prefix)])
    }
    const columns = choices.some(COLUMNS, 3)
    return this.#rowsOf(columns, depth, { from, prefix })
  }

  #rowsOf(columns: readonly string[], depth: number, source = this.#source(depth)): string {
    const choices = this.#choices
    const items = columns.map((column) => `${source.prefix}${column}${source.prefix === '' ? '' : ` AS ${column}`}`)
    const extra = choices.chance(0.15) ? [choices.of(['b AS other', 'upper(s) AS shout', 'b + 1 AS a1', 'length(s) letters'])] : []
    const order = choices.chance(0.4) && `ORDER BY ${this.#ordered(columns)}`
    return this.#clauses([`SELECT ${choices.chance(0.2) ? 'DISTINCT ' : ''}${[...items, ...(source.prefix === '' ? extra : [])].join(', ')}`, source.from, choices.chance(0.1) && source.from === 'FROM t' && `PREWHERE ${this.#conditions(0, '')}`, this.#where(depth, source.prefix), order])
  }

  #with(): string {
    return this.#choices.of(['WITH 5 AS five', 'WITH b + 1 AS a', 'WITH (SELECT max(k) FROM u) AS top'])
  }

  #grouped(depth: number): string {
    const choices = this.#choices
    const { from, prefix } = this.#source(depth)
    const keys = choices.some(COLUMNS, 2)
    const selected = choices.chance(0.8) ? keys : keys.slice(1)
    const aggregates = choices.some(['count()', 'count() AS n', `sum(${prefix}b) AS b1`, `max(${prefix}f)`, `max(${prefix}a) AS a`, `min(${prefix}s) s`, `uniqExact(${prefix}d)`, `arrayJoin([1, 2]) AS two`], 3)
    const items = [...selected.map((key) => `${prefix}${key}`), ...aggregates]
    const groups = [...keys, ...(choices.chance(0.3) ? [choices.of(keys)] : [])].map((key) => `${prefix}${key}`)
    return this.#clauses([
      choices.chance(0.1) && this.#with(),
      `SELECT ${choices.chance(0.4) ? 'DISTINCT ' : ''}${items.join(', ')}`,
      from,
      this.#where(depth, prefix),
      `GROUP BY ${groups.join(', ')}${choices.chance(0.08) ? choices.of([' WITH ROLLUP', ' WITH TOTALS', ' WITH CUBE']) : ''}`,
      choices.chance(0.7) && `HAVING ${this.#having(keys.map((key) => `${prefix}${key}`), prefix)}`,
    ])
  }

  #having(keys: readonly string[], prefix: string): string {
    const choices = this.#choices
    const one = (): string =>
      choices.of([
        () => this.#leaf(choices.of(keys)),
        () => this.#leaf(choices.of(keys)),
        () => `count() > ${choices.between(0, 3)}`,
        () => `max(${prefix}b) > ${choices.of(keys)}`,
        () => '1 = 1',
        () => `length(toString(${choices.of(keys)})) > 1`,
      ])()
    return Array.from({ length: choices.between(1, 3) }, one).join(choices.chance(0.85) ? ' AND ' : ' OR ')
  }

  #where(depth: number, prefix: string): string | false {
    return this.#choices.chance(0.8) && `WHERE ${this.#conditions(depth, prefix)}`
  }

  #conditions(depth: number, prefix: string): string {
    const choices = this.#choices
    const some = Array.from({ length: choices.between(1, 3) }, () => this.#condition(depth, prefix))
    const all = choices.chance(0.4) ? [...some, choices.of(some)] : some
    const separator = choices.of([' AND ', ' AND ', ' AND ', ' and ', ' OR '])
    return all.join(choices.chance(0.2) ? `${this.#gap()}AND${this.#gap()}` : separator)
  }

  #condition(depth: number, prefix: string): string {
    const choices = this.#choices
    const column = `${prefix}${choices.of(COLUMNS)}`
    if (choices.chance(0.12)) return choices.of(['1', '1 = 1', 'true', '(1)', '2 > 1', '0'])
    if (depth > 0 && choices.chance(0.3)) return `${prefix}${choices.of(['b', 'id', 'a'])} ${choices.of(['IN', 'NOT IN', 'GLOBAL IN'])} (${this.#set()})`
    if (choices.chance(0.1)) return `(${this.#leaf(column)} OR ${this.#leaf(column)})`
    if (choices.chance(0.08)) return `NOT ${this.#leaf(column)}`
    return choices.chance(0.06) ? `CASE WHEN ${this.#leaf(column)} THEN 1 ELSE 0 END` : this.#leaf(column)
  }

  /** A query of one column, which may be sorted, made distinct, cut. */
  #set(): string {
    const choices = this.#choices
    const distinct = choices.chance(0.5) ? 'DISTINCT ' : ''
    const order = choices.chance(0.6) ? ` ORDER BY ${choices.of(['k', 'k DESC', 'label, k', 'k + 1', 'label'])}` : ''
    const where = choices.chance(0.4) ? ` WHERE w > ${choices.between(-3, 3)}` : ''
    // Which rows come first must be certain.
    const limit = choices.chance(0.2) && order.startsWith(' ORDER BY k') ? ` LIMIT ${choices.between(1, 5)}` : ''
    return choices.chance(0.15) ? `SELECT ${distinct}k FROM u GROUP BY k, k${order.includes('label') ? '' : order}` : `SELECT ${distinct}k FROM u${where}${distinct !== '' && order.includes('label') ? '' : order}${limit}`
  }

  #leaf(column: string): string {
    const choices = this.#choices
    const name = column.replace(/^.*\./, '')
    const operator = choices.of(['=', '!=', '<', '<=', '>', '>=', '<>'])
    if (NUMBERS.includes(name)) {
      return choices.of([
        () => `${column} ${operator} ${choices.between(-4, 8)}`,
        () => `${column} BETWEEN ${choices.between(-4, 0)} AND ${choices.between(0, 8)}`,
        () => `${column} IN (${choices.between(-2, 2)}, ${choices.between(0, 9)})`,
        () => `${column} IS ${choices.chance(0.5) ? 'NOT ' : ''}NULL`,
        () => `${column}=${choices.between(0, 3)}`,
      ])()
    }
    if (name === 's') return choices.of([`${column} ${operator} 'a'`, `${column} LIKE '%b'`, `${column} IN ('a', 'b', 'x AND y')`, `length(${column}) > 1`, `${column} = 'it''s'`])
    return name === 'd' ? `${column} ${operator} '2001-02-1${choices.between(0, 4)}'` : `${column} ${operator} '2001-02-10 00:00:00'`
  }

  /** By all columns, so that there is one order. */
  #ordered(columns: readonly string[]): string {
    const choices = this.#choices
    const keys = columns.map((column) => `${column}${choices.of(['', ' ASC', ' DESC'])}`)
    return choices.chance(0.3) ? [...keys, choices.of(columns)].join(', ') : keys.join(', ')
  }
}
