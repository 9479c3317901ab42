import type { CallOptions, Row } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { quoteTable } from '../quote-identifier.ts'
import { type ColumnType, findCodec } from './find-codec.ts'
import type { Codec } from './codec.ts'

/** A column that rows can be written to. */
export interface TargetColumn {
  readonly name: string
  /** Its type as SQL, for the staging table. */
  readonly sqlType: string
  readonly notNull: boolean
  /** Whether the server computes it; such a column can't be written. */
  readonly generated: boolean
  readonly type: ColumnType
  /** `undefined` when the type is only known to the server; its values are then sent as text. */
  readonly codec: Codec | undefined
}

/** A table as rows are written to it. */
export interface TargetTable {
  /** Quoted, with its schema. */
  readonly sql: string
  readonly columns: ReadonlyMap<string, TargetColumn>
  readonly primaryKey: readonly string[]
  /** The columns' names and types, as {@link refuseAltered} asks for them. */
  readonly types: string
  /** Equal for two descriptions that come to the same. */
  readonly shape: string
}

/** What can run a query: a storage's connection or transaction. */
export interface TableReader {
  query<T extends Row = Row>(sql: string, params?: readonly unknown[], options?: CallOptions): Promise<{ readonly rows: T[] }>
}

/** What the fields of a row in binary form go by. */
const TYPES_SQL = `select string_agg(attname || ' ' || atttypid || ' ' || atttypmod, ', ' order by attnum) from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped`

/** Domains are followed down to what they are made of. */
const COLUMNS_SQL = `
with recursive target as (
  select $1::regclass as id
), described as (
  select a.attnum, a.attname::text as name, a.attnotnull as not_null, a.attgenerated <> '' as generated,
         format_type(a.atttypid, a.atttypmod) as sql_type, a.atttypid as type_id, a.atttypmod as modifier
  from pg_attribute a join target on a.attrelid = target.id
  where a.attnum > 0 and not a.attisdropped
  union all
  select d.attnum, d.name, d.not_null or t.typnotnull, d.generated, d.sql_type, t.typbasetype, t.typtypmod
  from described d join pg_type t on t.oid = d.type_id and t.typtype = 'd'
)
select d.name, d.not_null, d.generated, d.sql_type, d.modifier,
       t.oid as type_id, t.typname::text as type_name, t.typtype::text as kind,
       e.oid as element_id, e.typname::text as element_name, e.typtype::text as element_kind,
       array_position(k.conkey::int2[], d.attnum) as key_position,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) as table_sql, (${TYPES_SQL}) as types
from described d
join target on true
join pg_class c on c.oid = target.id
join pg_namespace n on n.oid = c.relnamespace
join pg_type t on t.oid = d.type_id and t.typtype <> 'd'
left join pg_type e on e.oid = t.typelem and t.typsubscript = 'array_subscript_handler'::regproc
left join pg_constraint k on k.conrelid = target.id and k.contype = 'p'
order by d.attnum`

interface ColumnRow extends Row {
  readonly name: string
  readonly not_null: boolean
  readonly generated: boolean
  readonly sql_type: string
  readonly modifier: number
  readonly type_id: number
  readonly type_name: string
  readonly kind: string
  readonly element_id: number | null
  readonly element_name: string | null
  readonly element_kind: string | null
  readonly key_position: number | null
  readonly table_sql: string
  readonly types: string
}

/**
 * Reads what a table's columns are.
 *
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_UNDEFINED` when there is no such table
 */
export async function describeTable(reader: TableReader, table: string, options?: CallOptions): Promise<TargetTable> {
  const { rows } = await reader.query<ColumnRow>(COLUMNS_SQL, [quoteTable(table)], options)
  const [first] = rows
  if (!first) throw new TimescaleOperationError(`table ${quoteTable(table)} has no columns to write to`, { code: 'ERR_TIMESCALEDB_UNDEFINED', context: { table } })
  const key = rows.filter((row) => row.key_position !== null).sort((a, b) => Number(a.key_position) - Number(b.key_position))
  return { sql: first.table_sql, columns: new Map(rows.map((row) => [row.name, columnOf(row)])), primaryKey: key.map((row) => row.name), types: first.types, shape: JSON.stringify(rows) }
}

/**
 * To be called behind an insert of rows in binary form, in its transaction, whose lock keeps the table as it is by now. Where a column got another
 * type before, the server may have taken one type's bytes for another's without a word.
 *
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_TABLE_ALTERED` when the table's columns are no longer as described
 */
export async function refuseAltered(reader: TableReader, { sql, types }: Pick<TargetTable, 'sql' | 'types'>, options?: CallOptions): Promise<void> {
  const { rows } = await reader.query<{ types: string | null }>(`select (${TYPES_SQL}) as types`, [sql], options)
  if (rows[0]?.types === types) return
  throw new TimescaleOperationError(`the columns of ${sql} were altered since they were looked at: nothing was stored, and the next attempt goes by what they are now`, {
    code: 'ERR_TIMESCALEDB_TABLE_ALTERED',
    retryable: true,
  })
}

function columnOf(row: ColumnRow): TargetColumn {
  const element = row.element_id === null ? null : { typeId: row.element_id, name: row.element_name ?? '', kind: row.element_kind ?? '' }
  const type = { typeId: row.type_id, name: row.type_name, kind: row.kind, modifier: row.modifier, element }
  return { name: row.name, sqlType: row.sql_type, notNull: row.not_null, generated: row.generated, type, codec: findCodec(type) }
}
