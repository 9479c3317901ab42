import { ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { quoteName } from './quote-name.ts'

/**
 * The HTTP header that says whose rows a request may read. A row policy reads it with `getClientHTTPHeader`; the text of a query
 * and the settings in its address can't change it. A setting such as `SQL_tenant` could be: whoever may bring it along with the request
 * may also write `SETTINGS SQL_tenant = 'another'` behind a query.
 */
export const TENANT_HEADER = 'X-Smart-Whale-Tenant'

const MAX_TENANT_LENGTH = 200

/** The header of one request; none without a tenant. @throws ValidationError `ERR_CLICKHOUSE_PARAMETER` for a tenant that can't be written */
export function tenantHeader(tenant: string | undefined): Record<string, string> {
  return tenant === undefined ? {} : { [TENANT_HEADER]: encodeTenant(tenant) }
}

/** Anything but letters, digits and a few signs is written as `%xx`: a header holds one line of ASCII. */
function encodeTenant(tenant: string): string {
  // Typed as text, but it comes from tokens.
  if (typeof tenant === 'string' && tenant !== '' && tenant.length <= MAX_TENANT_LENGTH && tenant.isWellFormed() && !tenant.includes('\0')) return encodeURIComponent(tenant)
  const message = `must be text of 1 to ${MAX_TENANT_LENGTH} characters`
  throw new ValidationError<ClickHouseErrorCode>(`tenant ${message}`, { code: 'ERR_CLICKHOUSE_PARAMETER', issues: [{ path: ['tenant'], message }] })
}

/**
 * The condition of a row policy: the column holds the tenant of the request. Without a header, or with an empty one, it holds for no row,
 * not even for rows whose tenant is empty.
 *
 * @param type the column's type; a tenant that is none of it sees no row
 */
export function tenantCondition(column: string, type = 'String'): string {
  const header = `getClientHTTPHeader('${TENANT_HEADER}')`
  const tenant = `decodeURLComponent(${header})`
  const value = type === 'String' ? tenant : `accurateCastOrNull(${tenant}, '${type}')`
  return `${quoteName(column)} = ${value} AND ${header} != ''`
}
