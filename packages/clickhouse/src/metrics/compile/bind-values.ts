import { canonical } from '../../stable-digest.ts'
import type { FilterValue } from '../definition/metric-definition.ts'

/** Gives a value its place in a statement. */
export type Bind = (value: FilterValue | readonly FilterValue[]) => string

/** Values that travel apart from their statement, the same value once. */
export class BoundValues {
  readonly #names = new Map<string, string>()
  readonly #values: Record<string, unknown> = {}

  readonly bind: Bind = (value) => {
    const key = canonical(value)
    const name = this.#names.get(key) ?? `sw_${this.#names.size}`
    this.#names.set(key, name)
    this.#values[name] = value
    return `:${name}`
  }

  get params(): Readonly<Record<string, unknown>> {
    return this.#values
  }
}

/**
 * A value as part of a statement, for definitions that the server keeps: a materialized view takes no parameters.
 * Only values of the definition get here, never a caller's.
 */
export const bindLiteral: Bind = (value) => {
  if (isList(value)) return `[${value.map(bindLiteral).join(', ')}]`
  if (value instanceof Date) return `toDateTime64('${value.toISOString().slice(0, 23).replace('T', ' ')}', 3, 'UTC')`
  return typeof value === 'string' ? quoteText(value) : String(value)
}

/** Text as ClickHouse reads it. */
export function quoteText(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}

function isList(value: FilterValue | readonly FilterValue[]): value is readonly FilterValue[] {
  return Array.isArray(value)
}
