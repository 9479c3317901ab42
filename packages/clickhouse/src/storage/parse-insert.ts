import { type Row, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { type SqlToken, sqlTokens } from '../sql-tokens.ts'

/** An `INSERT INTO table (columns) VALUES ($1, …)` taken apart. */
export interface ParsedInsert {
  readonly table: string
  /** The row that a parameter list stands for. @throws ValidationError when it lacks a value */
  rowOf(params: readonly unknown[], index: number): Row
}

/** Takes such a statement apart; null for any other, because only this one can be sent as rows. */
export function parseInsert(query: string): ParsedInsert | null {
  const reader = new TokenReader([...sqlTokens(query)])
  if (!reader.word('INSERT') || !reader.word('INTO')) return null
  reader.word('TABLE')
  const table = reader.names('.')
  const columns = reader.list(() => reader.name())
  if (!table || !columns || !reader.word('VALUES')) return null
  const positions = reader.list(() => reader.position())
  reader.sign(';')
  if (!positions || positions.length !== columns.length || !reader.atEnd()) return null

  const places = columns.map((column, index) => ({ column, position: positions[index] as number }))
  return {
    table: table.map((part) => `\`${part.replace(/[\\`]/g, '\\$&')}\``).join('.'),
    rowOf: (params, index) => Object.fromEntries(places.map(({ column, position }) => [column, paramAt(params, position, index)])),
  }
}

function paramAt(params: readonly unknown[], position: number, index: number): unknown {
  const value = params[position - 1]
  if (value !== undefined) return value
  throw new ValidationError<ClickHouseErrorCode>(`parameter list ${index} has no value for $${position}; give null for none`, {
    code: 'ERR_CLICKHOUSE_PARAMETER',
    issues: [{ path: ['paramsList', index, position - 1], message: 'must have a value' }],
  })
}

class TokenReader {
  readonly #tokens: readonly SqlToken[]
  #at = 0

  constructor(tokens: readonly SqlToken[]) {
    this.#tokens = tokens
  }

  atEnd(): boolean {
    return this.#at >= this.#tokens.length
  }

  word(value: string): boolean {
    return this.#take((token) => token.kind === 'word' && token.value === value) !== undefined
  }

  sign(text: string): boolean {
    return this.#take((token) => token.kind === 'sign' && token.text === text) !== undefined
  }

  name(): string | undefined {
    const token = this.#take(({ kind }) => kind === 'word' || kind === 'name')
    return token?.kind === 'word' ? token.text : token?.value
  }

  /** One name or more, with a sign in between. */
  names(separator: string): string[] | undefined {
    const names: string[] = []
    do {
      const name = this.name()
      if (name === undefined) return undefined
      names.push(name)
    } while (this.sign(separator))
    return names
  }

  position(): number | undefined {
    if (!this.sign('$')) return undefined
    const number = this.#take(({ kind, text }) => kind === 'number' && /^\d+$/.test(text))
    return number && Number(number.text)
  }

  /** `( item, item, … )` */
  list<T>(item: () => T | undefined): T[] | undefined {
    if (!this.sign('(')) return undefined
    const items: T[] = []
    do {
      const next = item()
      if (next === undefined) return undefined
      items.push(next)
    } while (this.sign(','))
    return this.sign(')') ? items : undefined
  }

  #take(isWanted: (token: SqlToken) => boolean): SqlToken | undefined {
    const token = this.#tokens[this.#at]
    if (token === undefined || !isWanted(token)) return undefined
    this.#at++
    return token
  }
}
