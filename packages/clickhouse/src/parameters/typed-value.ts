const TYPED = Symbol.for('smart-whale.clickhouse.typed')

/** A value with the ClickHouse type that it is to be bound as. */
export interface TypedValue {
  readonly type: string
  readonly value: unknown
}

/**
 * Binds a value as the type given, where the type that follows from the value isn't the right one.
 * @example
 * await adapter.execute('SELECT * FROM t WHERE id = :id', { id: typed('UUID', id) })
 */
export function typed(type: string, value: unknown): TypedValue {
  return Object.defineProperty({ type, value }, TYPED, { value: true, enumerable: false })
}

/** Whether {@link typed} made it, in whichever copy of this package. */
export function isTyped(value: unknown): value is TypedValue {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[TYPED] === true
}
