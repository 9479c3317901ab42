import { quoteName } from '../adapter/table-columns.ts'
import type { BoundPlace } from './bind-value.ts'
import { builderError } from './builder-error.ts'
import type { Column } from './query-schema.ts'

/** A query that others read from by its name. */
export interface CommonQuery {
  readonly name: string
  /** Writes it, without brackets. */
  readonly sql: (context: CompileContext) => string
}

/** Where the values of a query are gathered while its text is written. */
export class CompileContext {
  readonly params: Record<string, unknown> = {}
  readonly #visible = new Set<CommonQuery>()
  #count = 0

  /** Whether the name of a common query is known where the text has got to. */
  isVisible(query: CommonQuery): boolean {
    return this.#visible.has(query)
  }

  /** From here on it is. */
  show(query: CommonQuery): void {
    this.#visible.add(query)
  }

  /** From here on it is not any more. */
  hide(query: CommonQuery): void {
    this.#visible.delete(query)
  }

  /** The place of a value, in ClickHouse's own form. */
  bind({ type, value }: BoundPlace): string {
    const name = `p${++this.#count}`
    this.params[name] = value
    return `{${name}:${type}}`
  }
}

/** A piece of a query that has a value for each row, or each group. */
export interface QueryExpression<C extends Column = Column> {
  /** Writes it. */
  readonly sql: (context: CompileContext) => string
  /** ClickHouse's type of it, as far as it is known here; empty where only the server knows. */
  readonly type: string
  /** What it is called where it stands alone, for messages. */
  readonly name: string
  /** For the compiler alone. */
  readonly shape?: C
}

/** Whether a value is an {@link QueryExpression}. */
export function isExpression(value: unknown): value is QueryExpression {
  return typeof value === 'object' && value !== null && typeof (value as QueryExpression).sql === 'function'
}

/** A name for something that the query itself makes. @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` for one that can't be quoted */
export function quoteAlias(alias: string): string {
  // A name of a query's own ends up in its answer's header, and in no catalogue: what is there must only be unmistakable.
  if (alias === '' || alias.length > 200 || !alias.isWellFormed() || /[\u0000-\u001f\u007f]/.test(alias)) {
    throw builderError([], 'a name must have 1 to 200 characters, none of them a control character or half of a surrogate pair')
  }
  return quoteName(alias)
}
