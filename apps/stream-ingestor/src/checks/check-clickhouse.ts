import { checkDeduplicates, type ClickHouseAdapter } from '@smart-whale/clickhouse/ingest'
import type { Row } from '@smart-whale/interfaces'
import type { PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { clickhouseTable } from '../table-columns.ts'
import { type CheckResult, good, orAway, wrong } from './check-result.ts'
import { compareColumns } from './compare-columns.ts'

/** Compares a pipeline's table in ClickHouse with its declaration, and looks whether a repeated batch would be dropped. */
export async function checkClickHouse(definition: PipelineDefinition, clickhouse: ClickHouseAdapter, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const table = definition.tables.clickhouse
  const about = `ClickHouse table ${table}`
  const { rows } = await clickhouse.execute<Row & { name: string; type: string }>('SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}', { table }, { signal })
  const results = compareColumns(about, clickhouseTable(definition).columns, definition.columns, rows, plainType)
  if (rows.length === 0) return results
  const deduplicates = await orAway(about, async () => {
    await checkDeduplicates(clickhouse, table)
    return []
  })
  const all = [...results, ...deduplicates]
  return all.length > 0 ? all : [good(about, `${rows.length} columns; repeated batches are dropped`)]
}

/** One spelling for each type: servers print `Decimal(8,2)` as `Decimal(8, 2)`, dictionaries of texts store texts, and a zone says only how a moment is shown. */
function plainType(type: string): string {
  return type.replaceAll(' ', '').replace(/^LowCardinality\((.*)\)$/, '$1').replace(/DateTime64\((\d),'[^']*'\)/, 'DateTime64($1)')
}

/** Whether ClickHouse answers. */
export async function checkClickHouseServer(clickhouse: ClickHouseAdapter, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const { rows } = await clickhouse.execute<Row & { version: string }>('SELECT version() AS version', {}, { signal })
  const [first] = rows
  return [first === undefined ? wrong('ClickHouse', 'answers nothing') : good('ClickHouse', `version ${first.version}`)]
}
