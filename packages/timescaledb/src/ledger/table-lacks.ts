import { ValidationError } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { wasChecked } from '../storage/table-descriptions.ts'

/** The failure of rows for a column that the table does not have, or not any more: no row is to blame, since none would be taken. Null for any other. */
export function tableLacks(error: unknown): TimescaleOperationError | null {
  if (!ValidationError.isInstance(error) || !wasChecked(error) || error.issues[0]?.path[0] !== 'columns') return null
  return new TimescaleOperationError(`PostgreSQL: ${error.message}`, { code: 'ERR_TIMESCALEDB_UNDEFINED', cause: error })
}
