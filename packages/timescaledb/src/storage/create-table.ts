import type { TableDefinition, ValidationIssue } from '@smart-whale/interfaces'
import { TimescaleValidationError } from '../errors.ts'
import { quoteIdentifier, quoteTable } from '../quote-identifier.ts'

/**
 * The statement that makes a table. Names are quoted; a column's type is the caller's own SQL.
 *
 * @throws TimescaleValidationError
 */
export function createTableStatement(name: string, schema: TableDefinition): string {
  const issues = findIssues(schema)
  const [first] = issues
  if (first) throw new TimescaleValidationError(`table ${JSON.stringify(name)}: ${first.path.join('.')} ${first.message}`, { issues })
  const columns = Object.entries(schema.columns).map(([column, type]) => `${quoteIdentifier(column, 'column')} ${type}`)
  const key = schema.primaryKey?.map((column) => quoteIdentifier(column, 'primaryKey')) ?? []
  return `create table ${quoteTable(name)} (${[...columns, ...(key.length > 0 ? [`primary key (${key.join(', ')})`] : [])].join(', ')})`
}

function findIssues({ columns, primaryKey = [] }: TableDefinition): ValidationIssue[] {
  const issues: ValidationIssue[] = []
  if (Object.keys(columns).length === 0) issues.push({ path: ['columns'], message: 'must name at least one column' })
  for (const [column, type] of Object.entries(columns)) {
    if (typeof type !== 'string' || type.trim() === '') issues.push({ path: ['columns', column], message: 'must be a type, such as "bigint not null"' })
  }
  for (const column of primaryKey) {
    if (!Object.hasOwn(columns, column)) issues.push({ path: ['primaryKey'], message: `names ${JSON.stringify(column)}, which is no column of the table` })
  }
  return issues
}
