import { ConfigurationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'

/**
 * Loads `@smart-whale/core-security` on first use: an optional peer, which who brings own ports does without.
 * @throws ConfigurationError `ERR_CLICKHOUSE_MISSING_PEER` that names the package
 */
// The type is the package's own, by inference: it goes no further than the files that call this.
export async function loadSecurity(what: string) {
  try {
    return await import('@smart-whale/core-security')
  } catch (cause) {
    const { code } = cause as { code?: unknown }
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause
    throw new ConfigurationError<ClickHouseErrorCode>(`${what} come from the package @smart-whale/core-security, which is not installed; add it, or hand in ports of your own`, {
      code: 'ERR_CLICKHOUSE_MISSING_PEER',
      cause,
    })
  }
}
