import type { PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { driftError } from '../exit-codes.ts'
import type { TableStores } from '../prepare-tables.ts'
import { checkClickHouse } from './check-clickhouse.ts'
import type { CheckResult } from './check-result.ts'
import { checkTimescale } from './check-timescaledb.ts'

/** What is to be found about the tables of a pipeline. */
export async function checkTables(definition: PipelineDefinition, { clickhouse, timescaledb }: TableStores, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const { sinks } = definition
  const found = await Promise.all([
    clickhouse !== null && sinks.includes('clickhouse') ? checkClickHouse(definition, clickhouse, signal) : [],
    timescaledb !== null && sinks.includes('timescaledb') ? checkTimescale(definition, timescaledb, signal) : [],
  ])
  return found.flat()
}

/**
 * Looks at all tables before any is touched: rows would be refused one by one where a column has another type.
 * @throws OperationError `ERR_INGESTOR_DRIFT`, in the words of `check`
 */
export async function refuseDrift(definitions: readonly PipelineDefinition[], stores: TableStores, signal: AbortSignal | undefined): Promise<void> {
  const call = signal ?? new AbortController().signal
  const found = await Promise.all(definitions.map((definition) => checkTables(definition, stores, call)))
  const wrong = found.flat().filter(({ level }) => level === 'wrong')
  if (wrong.length > 0) throw driftError(wrong)
}
