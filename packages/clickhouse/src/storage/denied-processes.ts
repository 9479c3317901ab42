import { ConfigurationError } from '@smart-whale/interfaces'
import { ClickHouseBaseError, type ClickHouseErrorCode } from '../errors.ts'

/** What it means for a writer that it may not see what the server is at work on. @throws always */
export function deniedProcesses(error: unknown): never {
  if (!ClickHouseBaseError.isInstance(error) || error.code !== 'ERR_CLICKHOUSE_PERMISSION_DENIED') throw error
  throw new ConfigurationError<ClickHouseErrorCode>('the user that writes may not see which of its inserts are running, so it could write beside a former owner: GRANT SELECT ON system.processes to it', {
    code: 'ERR_CLICKHOUSE_CONFIGURATION',
    cause: error,
  })
}
