import { createHash } from 'node:crypto'
import type { TimescaleValidationError } from '../errors.ts'
import { wrongInput } from '../refuse-input.ts'

/** In which order rows come. */
export type TimeOrder = 'asc' | 'desc'

const VERSION = 1
const MAX_LENGTH = 4096

/** Which reads a cursor is good for: the same table, order and ordering columns. */
export interface CursorScope {
  readonly table: string
  readonly order: TimeOrder
  readonly columns: readonly string[]
}

/** The place after a row, as a text that means nothing to its holder. */
export function encodeCursor(scope: CursorScope, position: readonly string[]): string {
  return Buffer.from(JSON.stringify([VERSION, ...position, seal(scope, position)])).toString('base64url')
}

/**
 * The place that a cursor stands for: the time and the ordering columns' values, as texts. They are bound and cast like any value,
 * so a forged cursor can point elsewhere in the same table and nothing else; the seal is there to catch mix-ups and damage.
 *
 * @throws TimescaleValidationError when it is damaged, or comes from another read
 */
export function decodeCursor(scope: CursorScope, cursor: string): string[] {
  const parts = parse(cursor)
  if (!parts || parts.length !== scope.columns.length + 3 || parts[0] !== VERSION) throw refusal()
  const texts = parts.slice(1)
  if (!texts.every((part): part is string => typeof part === 'string' && !part.includes('\0'))) throw refusal()
  const position = texts.slice(0, -1)
  if (texts.at(-1) !== seal(scope, position)) throw refusal()
  return position
}

/** The refusal of a cursor. */
export function refusal(): TimescaleValidationError {
  return wrongInput(['cursor'], 'must be the nextCursor of an earlier answer for the same table and order, unchanged')
}

function parse(cursor: unknown): unknown[] | undefined {
  if (typeof cursor !== 'string' || cursor.length === 0 || cursor.length > MAX_LENGTH || !/^[\w-]+$/.test(cursor)) return undefined
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    return Array.isArray(parts) ? parts : undefined
  } catch {
    return undefined
  }
}

function seal(scope: CursorScope, position: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify([scope.table, scope.order, scope.columns, position])).digest('base64url').slice(0, 16)
}
