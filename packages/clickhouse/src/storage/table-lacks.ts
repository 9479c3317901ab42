import { ValidationError } from '@smart-whale/interfaces'
import { QueryError } from '../errors.ts'

/** The failure of rows that name a column which the table does not have, or not any more: no row is to blame, since none would be taken. Null for any other. */
export function tableLacks(error: unknown): QueryError | null {
  if (!ValidationError.isInstance(error) || error.code !== 'ERR_CLICKHOUSE_UNKNOWN_OBJECT') return null
  return new QueryError(error.message, { code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', retryable: false, cause: error })
}
