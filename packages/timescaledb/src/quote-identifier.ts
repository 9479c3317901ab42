import { TimescaleValidationError } from './errors.ts'

/** PostgreSQL cuts longer names off silently. */
const MAX_IDENTIFIER_BYTES = 63

/**
 * A name as SQL may contain it: checked and always quoted.
 *
 * @throws TimescaleValidationError when the name is empty, longer than PostgreSQL keeps (63 bytes), or holds a zero byte
 */
export function quoteIdentifier(name: string, field = 'name'): string {
  const problem = findProblem(name)
  if (problem) throw new TimescaleValidationError(`${field} ${problem}`, { issues: [{ path: [field], message: problem }] })
  return `"${name.replaceAll('"', '""')}"`
}

/** A table's name, with or without its schema (`metrics`, `public.metrics`), checked and quoted. */
export function quoteTable(table: string, field = 'table'): string {
  const { schema, name } = splitTable(table, field)
  return schema === undefined ? quoteIdentifier(name, field) : `${quoteIdentifier(schema, field)}.${quoteIdentifier(name, field)}`
}

/** The parts of `schema.table` or `table`. A name that itself holds a dot can't be written this way. */
export function splitTable(table: string, field = 'table'): { schema: string | undefined; name: string } {
  const parts = typeof table === 'string' ? table.split('.') : [table]
  if (parts.length > 2) {
    const message = 'has more than one dot; write "table" or "schema.table"'
    throw new TimescaleValidationError(`${field} ${message}`, { issues: [{ path: [field], message }] })
  }
  return parts.length === 2 ? { schema: parts[0], name: parts[1] as string } : { schema: undefined, name: parts[0] as string }
}

/** A text value inside SQL, for the few statements that take no parameters. */
export function quoteLiteral(text: string): string {
  const escaped = text.replaceAll("'", "''")
  return escaped.includes('\\') ? `E'${escaped.replaceAll('\\', '\\\\')}'` : `'${escaped}'`
}

function findProblem(name: unknown): string | undefined {
  if (typeof name !== 'string') return `must be a string, found ${name === null ? 'null' : typeof name}`
  if (name.length === 0) return 'must not be empty'
  if (name.includes('\0')) return 'must not hold a zero byte'
  if (Buffer.byteLength(name) > MAX_IDENTIFIER_BYTES) return `is ${Buffer.byteLength(name)} bytes long; PostgreSQL keeps ${MAX_IDENTIFIER_BYTES}: shorten it`
  return undefined
}
