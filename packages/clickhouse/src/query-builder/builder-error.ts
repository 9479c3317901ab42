import { ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'

/** A query that can't be built: a name that the schema doesn't have, a value that doesn't fit, a clause that makes no sense. */
export function builderError(path: readonly (string | number)[], message: string): ValidationError<ClickHouseErrorCode> {
  return new ValidationError(message, { code: 'ERR_CLICKHOUSE_QUERY_BUILDER', issues: [{ path: [...path], message }] })
}
