import type { TableDefinition } from '@smart-whale/interfaces'
import { type FieldKind, type FieldType, parseFieldType, type PipelineDefinition } from '@smart-whale/messaging/pipeline'

type ColumnType = (type: FieldType) => string

const CLICKHOUSE: Readonly<Record<FieldKind, ColumnType>> = {
  string: () => 'String',
  int32: () => 'Int32',
  int64: () => 'Int64',
  float64: () => 'Float64',
  decimal: ({ precision, scale }) => `Decimal(${precision}, ${scale})`,
  boolean: () => 'Bool',
  timestamp: () => "DateTime64(3, 'UTC')",
  date: () => 'Date32',
  uuid: () => 'UUID',
  json: () => 'String',
}

const POSTGRES: Readonly<Record<FieldKind, ColumnType>> = {
  string: () => 'text',
  int32: () => 'integer',
  int64: () => 'bigint',
  float64: () => 'double precision',
  decimal: ({ precision, scale }) => `numeric(${precision}, ${scale})`,
  boolean: () => 'boolean',
  timestamp: () => 'timestamptz',
  date: () => 'date',
  uuid: () => 'uuid',
  json: () => 'jsonb',
}

/** The table of a pipeline in ClickHouse: sorted as the pipeline says, then by where the row came from. */
export function clickhouseTable(definition: PipelineDefinition): TableDefinition {
  const columns = columnsOf(definition, (type) => (type.nullable ? `Nullable(${CLICKHOUSE[type.kind](type)})` : CLICKHOUSE[type.kind](type)))
  const origin = { event_id: 'String', source_topic: 'LowCardinality(String)', source_partition: 'Int32', source_offset: 'Int64' }
  return { columns: { ...columns, ...origin }, primaryKey: [...definition.clickhouse.orderBy, 'source_partition', 'source_offset'] }
}

/** The table of a pipeline in PostgreSQL: no key, since the ledger and not a constraint keeps rows single. */
export function timescaledbTable(definition: PipelineDefinition): TableDefinition {
  const columns = columnsOf(definition, (type) => `${POSTGRES[type.kind](type)}${type.nullable ? '' : ' not null'}`)
  const origin = { event_id: 'text not null', source_topic: 'text not null', source_partition: 'integer not null', source_offset: 'bigint not null' }
  return { columns: { ...columns, ...origin } }
}

function columnsOf(definition: PipelineDefinition, columnType: ColumnType): Record<string, string> {
  return Object.fromEntries(Object.entries(definition.columns).map(([name, text]) => [name, columnType(parseFieldType(text))]))
}
