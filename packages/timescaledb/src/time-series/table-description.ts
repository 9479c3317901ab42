import type { CallOptions, Row } from '@smart-whale/interfaces'
import { TimescaleConfigurationError, TimescaleOperationError } from '../errors.ts'
import { findHypertable } from '../partitions/hypertable-chunks.ts'
import { quoteIdentifier, quoteTable } from '../quote-identifier.ts'
import { type InputPath, refuseInput } from '../refuse-input.ts'
import { type ColumnDescription, kindOfType } from './column-kind.ts'

/** What reads by time need to know of a table. */
export interface TableDescription {
  readonly schema: string
  readonly name: string
  readonly columns: readonly ColumnDescription[]
  readonly timeColumn: ColumnDescription
  /**
   * Columns that, after the time, put rows into one order: a unique key's. Empty when the table has none;
   * then rows are told apart by where they lie.
   */
  readonly tiebreak: readonly ColumnDescription[]
  /** Whether rows lie somewhere: those of a view don't. */
  readonly hasRowIds: boolean
  /** Whether rows of one moment are found without looking at all. */
  readonly timeIndexed: boolean
}

/** What is known of the table beforehand. */
export interface TableHints {
  /** Whether the server has TimescaleDB, so that the table may be a hypertable. */
  readonly hypertables?: boolean | undefined
  readonly timeColumn?: string | undefined
  readonly tiebreak?: readonly string[] | undefined
}

/** A storage or a transaction. */
export interface TableReader {
  execute<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<T[]>
}

interface ColumnRow extends Row {
  schema: string
  table: string
  name: string
  type: string
  base_schema: string
  base_type: string
  is_enum: boolean
  not_null: boolean
  generated: boolean
  has_default: boolean
  is_partition_key: boolean
  leads_index: boolean
  has_row_ids: boolean
}

const COLUMNS = `
  select n.nspname as schema, c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
         bn.nspname as base_schema, b.typname as base_type, b.typtype = 'e' as is_enum,
         a.attnotnull as not_null, a.attgenerated <> '' or a.attidentity = 'a' as generated, a.atthasdef or a.attidentity <> '' as has_default,
         c.relkind in ('r', 'p', 'm') as has_row_ids,
         coalesce(p.partattrs[0] = a.attnum, false) as is_partition_key,
         exists (select from pg_index i where i.indrelid = c.oid and i.indkey[0] = a.attnum and i.indpred is null) as leads_index
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid
  join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
  join pg_namespace bn on bn.oid = b.typnamespace
  left join pg_partitioned_table p on p.partrelid = c.oid
  where c.oid = to_regclass($1) and c.relkind in ('r', 'p', 'v', 'm', 'f')
  order by a.attnum`

const KEYS = `
  select array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k(attnum, place)
               join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum where k.place <= i.indnkeyatts order by k.place) as columns
  from pg_index i
  where i.indrelid = to_regclass($1) and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
    and not exists (select from pg_attribute a where a.attrelid = i.indrelid and a.attnum = any(i.indkey) and not a.attnotnull)
  order by i.indisprimary desc, i.indnkeyatts, i.indexrelid`

/**
 * Reads a table's columns, its time column and its key from the catalogue.
 *
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_UNKNOWN_TABLE` (status 404)
 * @throws TimescaleConfigurationError when it has no time column, or a hint names none of its columns
 */
export async function describeTable(reader: TableReader, table: string, hints: TableHints = {}, call?: CallOptions): Promise<TableDescription> {
  const name = quoteTable(table)
  const rows = await reader.execute<ColumnRow>(COLUMNS, [name], call)
  const [first] = rows
  if (!first) throw unknownTable(table)
  const columns = rows.map(toColumn)
  const hypertable = hints.hypertables && hints.timeColumn === undefined ? await findHypertable(reader, { schema: first.schema, name: first.table }, call) : null
  const partitionKey = hypertable?.timeColumn ?? rows.find((row) => row.is_partition_key)?.name
  const timeColumn = findTimeColumn(table, rows, columns, { hint: hints.timeColumn, partitionKey })
  const keys = hints.tiebreak ? [] : await reader.execute<{ columns: string[] }>(KEYS, [name], call)
  const key = hints.tiebreak ?? keys[0]?.columns ?? []
  const tiebreak = key.filter((column) => column !== timeColumn.name).map((column) => findOwn(table, columns, column))
  const nullable = tiebreak.find(({ notNull }) => !notNull)
  if (nullable) throw new TimescaleConfigurationError(`tiebreak column ${nullable.name} of ${table} may be null, so it can't order rows: declare it not null`)
  const timeIndexed = rows.some((row) => row.name === timeColumn.name && row.leads_index)
  return { schema: first.schema, name: first.table, columns, timeColumn, tiebreak, hasRowIds: first.has_row_ids, timeIndexed }
}

/** The table's name as SQL. */
export function tableName(table: TableDescription): string {
  return `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`
}

/**
 * A column by the name that a caller gave.
 *
 * @throws TimescaleValidationError naming the field and the columns there are
 */
export function columnOf(table: TableDescription, name: string, path: InputPath): ColumnDescription {
  const column = table.columns.find((candidate) => candidate.name === name)
  if (column) return column
  return refuseInput(path, `names no column of ${table.name}; there are ${table.columns.map((candidate) => candidate.name).join(', ')}`)
}

/** The refusal of a table that isn't there, or isn't meant to be seen. */
export function unknownTable(table: string): TimescaleOperationError {
  return new TimescaleOperationError(`there is no time-series table ${JSON.stringify(table)}`, {
    code: 'ERR_TIMESCALEDB_UNKNOWN_TABLE',
    status: 404,
    context: { table },
  })
}

function toColumn(row: ColumnRow): ColumnDescription {
  return {
    name: row.name,
    type: row.type,
    castType: `${quoteIdentifier(row.base_schema)}.${quoteIdentifier(row.base_type)}`,
    baseType: row.base_type,
    kind: kindOfType(row.base_type, row.is_enum),
    notNull: row.not_null,
    generated: row.generated,
    hasDefault: row.has_default,
  }
}

/** The partition key; else a time that an index begins with; else the first time that is always there; else the first. */
function findTimeColumn(
  table: string,
  rows: readonly ColumnRow[],
  columns: readonly ColumnDescription[],
  { hint, partitionKey }: { hint: string | undefined; partitionKey: string | undefined },
): ColumnDescription {
  if (hint !== undefined) {
    const column = findOwn(table, columns, hint)
    if (column.kind === 'timestamp' || column.kind === 'date') return column
    throw new TimescaleConfigurationError(`column ${hint} of ${table} can't be its time: it is ${column.type}, not timestamptz, timestamp or date`)
  }
  const times = columns.flatMap((column, index) => (column.kind === 'timestamp' || column.kind === 'date' ? [{ column, row: rows[index] as ColumnRow }] : []))
  const found =
    times.find(({ column }) => column.name === partitionKey) ??
    times.find(({ row }) => row.leads_index) ??
    times.find(({ column }) => column.baseType === 'timestamptz' && column.notNull) ??
    times[0]
  if (!found) throw new TimescaleConfigurationError(`table ${table} has no time column: it needs one of type timestamptz, timestamp or date`)
  return found.column
}

function findOwn(table: string, columns: readonly ColumnDescription[], name: string): ColumnDescription {
  const column = columns.find((candidate) => candidate.name === name)
  if (!column) throw new TimescaleConfigurationError(`table ${table} has no column ${name}`)
  return column
}
