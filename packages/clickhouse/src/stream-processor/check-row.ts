import type { Row, ValidationIssue } from '@smart-whale/interfaces'
import { ByteWriter } from '../row-binary/byte-writer.ts'
import { cellEncoder } from '../row-binary/cell-encoder.ts'
import { parseColumnType } from '../row-binary/column-type.ts'
import type { CellEncoder } from '../row-binary/encode-number.ts'
import { type Coercion, coercionOf } from './coerce-value.ts'

/** A column as `system.columns` has it. */
export interface StreamColumn {
  readonly name: string
  readonly type: string
  /** `DEFAULT`, `MATERIALIZED`, `ALIAS`, `EPHEMERAL`, or empty. */
  readonly defaultKind: string
}

/** A row that fits its table, coerced, or why it doesn't. */
export type CheckedRow = FittingRow | { readonly issues: readonly ValidationIssue[] }

/** A row that fits its table. */
export interface FittingRow {
  readonly row: Row
  readonly bytes: number
  /** Equal for rows that fill the same columns. An insert names its columns: what a row leaves out is the default only where all rows leave it out. */
  readonly shape: string
}

/** Checks rows of one table, with what was compiled for its columns. */
export interface RowCheck {
  readonly columns: ReadonlySet<string>
  check(row: unknown): CheckedRow
}

interface ColumnCheck {
  readonly coerce: Coercion
  /** Null for a type that only the server can check. */
  readonly encode: CellEncoder | null
  readonly type: string
}

/** What the encoders write of a value that only the server can check, for the sake of the count. */
const UNKNOWN_BYTES = 64

/** Compiles the check of a table's rows. Values are coerced, then tried on the very encoder that will send them. */
export function compileRowCheck(columns: readonly StreamColumn[]): RowCheck {
  const checks = new Map<string, ColumnCheck>()
  const computed = new Set<string>()
  for (const { name, type, defaultKind } of columns) {
    if (defaultKind === 'MATERIALIZED' || defaultKind === 'ALIAS') computed.add(name)
    const parsed = parseColumnType(type)
    checks.set(name, { coerce: coercionOf(parsed), encode: cellEncoder(parsed), type })
  }
  const scratch = new ByteWriter(1024)

  return {
    columns: new Set(checks.keys()),
    check: (row) => {
      if (typeof row !== 'object' || row === null || Array.isArray(row)) {
        return {
          issues: [
            {
              path: [],
              message: `must be an object of values by column, is ${row === null ? 'null' : Array.isArray(row) ? 'an array' : `a ${typeof row}`}`,
            },
          ],
        }
      }
      const issues: ValidationIssue[] = []
      const coerced: Row = {}
      scratch.at = 0
      for (const [name, value] of Object.entries(row)) {
        // As in JSON: a member without a value isn't there, and the column takes its default.
        if (value === undefined) continue
        const check = checks.get(name)
        const message =
          check === undefined
            ? 'is not a column of the table'
            : computed.has(name)
              ? 'is computed by the table; leave it out'
              : tryValue(check, value, scratch, coerced, name)
        if (message !== undefined) issues.push({ path: [name], message })
      }
      return issues.length > 0 ? { issues } : { row: coerced, bytes: scratch.at, shape: Object.keys(coerced).sort().join('\0') }
    },
  }
}

function tryValue(
  { coerce, encode, type }: ColumnCheck,
  value: unknown,
  scratch: ByteWriter,
  coerced: Row,
  name: string,
): string | undefined {
  // ClickHouse would quietly take the default for it; a null that means nothing is better noticed.
  if (value === null && !/^(?:LowCardinality\()?Nullable\(/.test(type) && encode !== null)
    return `must not be null, the type is ${type}; leave it out for the default`
  const fitting = value === null ? null : coerce(value)
  coerced[name] = fitting
  if (encode === null) {
    scratch.at += UNKNOWN_BYTES
    return undefined
  }
  const refusal = encode(scratch, fitting)
  return refusal === undefined ? undefined : `${refusal.reason}, the type is ${type}`
}
