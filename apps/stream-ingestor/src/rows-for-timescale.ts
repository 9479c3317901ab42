import type { ColumnBatch, TransactionalBatchWriter } from '@smart-whale/interfaces'
import { type IngestRow, parseFieldType, type PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { asJsonText } from '@smart-whale/timescaledb'

/**
 * A row's JSON fields are text, which is what ClickHouse stores. PostgreSQL would take a text for a JSON string:
 * here they are marked as the JSON that they are.
 */
export function withJsonFields(definition: PipelineDefinition, writer: TransactionalBatchWriter<IngestRow>): TransactionalBatchWriter<IngestRow> {
  const fields = Object.entries(definition.columns).flatMap(([name, type]) => (parseFieldType(type).kind === 'json' ? [name] : []))
  if (fields.length === 0) return writer
  const marked = (rows: readonly IngestRow[]): IngestRow[] =>
    rows.map((row) => ({ ...row, ...Object.fromEntries(fields.map((field) => [field, typeof row[field] === 'string' ? asJsonText(row[field]) : row[field]])) }))
  const isJson = new Set(fields)
  const markedColumns = ({ rows, columns }: ColumnBatch): ColumnBatch => ({ rows, columns: columns.map((column) => (isJson.has(column.name) ? { ...column, isJson: true } : column)) })
  return {
    begin: async (options) => {
      const transaction = await writer.begin(options)
      return {
        write: (rows) => transaction.write(marked(rows)),
        writeColumns: async (columns) => (await transaction.writeColumns?.(markedColumns(columns))) === true,
        complete: (claim, slice) => transaction.complete(claim, slice),
        commit: () => transaction.commit(),
        rollback: () => transaction.rollback(),
        [Symbol.asyncDispose]: () => transaction[Symbol.asyncDispose](),
      }
    },
    findRefused: (rows, options) => writer.findRefused(marked(rows), options),
    findRefusedColumns: async (columns, options) => (await writer.findRefusedColumns?.(markedColumns(columns), options)) ?? null,
    lastStored: (source, options) => writer.lastStored(source, options),
  }
}
