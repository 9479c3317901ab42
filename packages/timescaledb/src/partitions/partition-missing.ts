import { InfrastructureError } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'

/**
 * Whether the server found no partition for a row. It says so as a failed check without a constraint's name,
 * which would otherwise pass for a row that is refused for its data.
 */
export function isPartitionMissing(error: unknown): boolean {
  if (!InfrastructureError.isInstance(error)) return false
  if (error.code === 'ERR_TIMESCALEDB_PARTITION_MISSING') return true
  return error.context['sqlState'] === '23514' && error.context['constraint'] === undefined
}

/** The failure as what it is: nothing is wrong with the rows, and the next attempt makes the partition. */
export function partitionMissingError(table: string, cause: unknown): TimescaleOperationError {
  return new TimescaleOperationError(`a partition of ${table} that the rows need is not there (dropped meanwhile, or made by nobody yet): write them again`, {
    code: 'ERR_TIMESCALEDB_PARTITION_MISSING',
    cause,
    retryable: true,
    status: 503,
    context: { table },
  })
}
