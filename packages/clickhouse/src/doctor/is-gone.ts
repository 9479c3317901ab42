import { ConnectionError } from '../errors.ts'

/** Whether a failure means that nobody can be asked any more: the server is away, or the caller gave up. */
export function isGone(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return ConnectionError.isInstance(error) || code === 'ERR_ABORTED' || code === 'ERR_CLICKHOUSE_CLOSED' || code === 'ERR_CLICKHOUSE_CIRCUIT_OPEN'
}
