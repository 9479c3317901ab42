import { EXIT } from '@smart-whale/app-process'
import { OperationError } from '@smart-whale/interfaces'
import type { CheckResult } from './checks/check-result.ts'

/** Code of a start that was refused because what is there is not as it is declared. */
export const DRIFT = 'ERR_INGESTOR_DRIFT'

/** Errors by which a start refuses what `check` calls wrong, and what else is not as declared: all commands end with the same code. */
export const OWN_EXIT_CODES: ReadonlyMap<string, number> = new Map([
  [DRIFT, EXIT.found],
  ['ERR_CLICKHOUSE_NO_DEDUPLICATION', EXIT.found],
  ['ERR_MESSAGING_TOPIC_UNSAFE', EXIT.found],
  ['ERR_MESSAGING_TOPIC_NOT_FOUND', EXIT.found],
  ['ERR_TABLE_TAKEN', EXIT.found],
  ['ERR_MESSAGING_TOPIC_BEGAN_AGAIN', EXIT.found],
  ['ERR_MESSAGING_LEDGER_AHEAD', EXIT.found],
  ['ERR_MESSAGING_DEFINITION_CHANGED', EXIT.found],
  ['ERR_CLICKHOUSE_UNKNOWN_OBJECT', EXIT.found],
  ['ERR_TIMESCALEDB_UNDEFINED', EXIT.found],
  ['ERR_MESSAGING_PARTITION_NOT_FOUND', EXIT.usage],
])

/** What a start says that finds tables which are not as declared: the words of `check`, one finding a line. */
export function driftError(wrong: readonly CheckResult[]): OperationError {
  const lines = wrong.map(({ about, detail }) => `  ${about}: ${detail}`)
  return new OperationError(`nothing was begun, since what is there is not as it is declared:\n${lines.join('\n')}`, { code: DRIFT, retryable: false })
}
