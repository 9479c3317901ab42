import { quoteName } from '../adapter/table-columns.ts'
import { builderError } from './builder-error.ts'
import { type CompileContext, type QueryExpression, quoteAlias } from './expression.ts'
import { nullableType, orNull, type RowSource } from './row-source.ts'
import { bareType, parseColumnType } from '../row-binary/column-type.ts'

/** The elements of arrays as a column: a source of the rows that an array join makes. */
export interface ArrayElements extends RowSource {
  readonly array: QueryExpression
  /** Whether null stands where there is no element. */
  readonly isNullable: boolean
}

/**
 * The elements of arrays, under a name.
 * @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` for what is known to be no array
 */
export function elementsOf(array: QueryExpression, name: string, isNullable: boolean): ArrayElements {
  const type = elementType(array)
  return {
    alias: name,
    columns: new Map([[name, isNullable ? nullableType(type) : type]]),
    isTable: false,
    // No alias may stand before it, and a bare name would be taken for an output of that name.
    reference: elementsName(name),
    sql: (context) => written(array, type, isNullable, context),
    array,
    isNullable,
  }
}

/** Elements that may be missing, because a later join keeps rows that they have no part in. */
export function missingElements({ array, alias }: ArrayElements): ArrayElements {
  return elementsOf(array, alias, true)
}

/** What the elements of a name are called in the query's text. */
export function elementsName(name: string): string {
  quoteAlias(name)
  return quoteName(plainElementsName(name))
}

/** The same, as no output may be called beside them. */
export function plainElementsName(name: string): string {
  return `${name}[]`
}

function elementType({ type, name }: QueryExpression): string {
  const column = bareType(parseColumnType(type))
  if (type !== '' && column.name !== 'Array') throw builderError([name], `"${name}" is a ${column.name}, and not an array whose elements could be joined`)
  // In every other place than the outermost only the server tells.
  return /^Array\((.*)\)$/s.exec(type)?.[1] ?? ''
}

function written(array: QueryExpression, type: string, isNullable: boolean, context: CompileContext): string {
  const sql = array.sql(context)
  const element = orNull('x', type)
  return isNullable && element !== 'x' ? `arrayMap(x -> ${element}, ${sql})` : sql
}
