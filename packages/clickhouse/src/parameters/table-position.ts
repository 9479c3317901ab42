import type { SqlToken } from '../sql-tokens.ts'

/** Where a query stands: where tables are named, in the condition of a join, behind which a comma leads back to tables, or where values are. */
type Place = 'tables' | 'condition' | 'values'

const LEADS_TO = new Map<string, Place>([
  ...'FROM JOIN TABLE DESCRIBE DESC OVERRIDE FUNCTION INTO IN'.split(' ').map((word) => [word, 'tables'] as const),
  ...'ON USING'.split(' ').map((word) => [word, 'condition'] as const),
  ...'SELECT WHERE PREWHERE GROUP ORDER HAVING QUALIFY LIMIT WINDOW WITH AND OR THEN ELSE WHEN'.split(' ').map((word) => [word, 'values'] as const),
])

/**
 * Follows a query, token by token, and tells whether a name that comes now may be a table's. In doubt it says so: `extract(YEAR FROM x)`
 * names no table.
 */
export class TablePosition {
  readonly #places: Place[] = ['values']

  get inTables(): boolean {
    return this.#places.at(-1) === 'tables'
  }

  step({ kind, value, text }: SqlToken): void {
    const place = this.#places.at(-1) ?? 'values'
    if (text === '(') this.#places.push(place)
    else if (text === ')' && this.#places.length > 1) this.#places.pop()
    else if (text === ',' && place === 'condition') this.#enter('tables')
    else if (kind === 'word') this.#enter(this.#afterWord(value, place))
  }

  #afterWord(word: string, place: Place): Place {
    const next = LEADS_TO.get(word)
    // A condition goes on behind AND; only what begins another clause ends it.
    const goesOn = place === 'condition' && /^(?:AND|OR|THEN|ELSE|WHEN|IN)$/.test(word)
    return next === undefined || goesOn ? place : next
  }

  #enter(place: Place): void {
    this.#places[this.#places.length - 1] = place
  }
}
