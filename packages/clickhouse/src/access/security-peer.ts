import { ConfigurationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'

/** What the security package has. */
export type SecurityPackage = typeof import('@smart-whale/core-security')

/**
 * Loads `@smart-whale/core-security` on first use: an optional peer, which who brings own ports does without.
 * @throws ConfigurationError `ERR_CLICKHOUSE_MISSING_PEER` that names the package
 */
export async function loadSecurity(what: string): Promise<SecurityPackage> {
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
