import { type AccessControl, PermissionDeniedError, type TrustedReader } from '@smart-whale/clickhouse'
import type { AnalyticsReader } from '@smart-whale/clickhouse/fastify'
import { toProblem } from '@smart-whale/interfaces'
import { scopeOfToken } from '@smart-whale/messaging/fastify'
import type { FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'

/** Makes the hook of one route: only callers with the permission get past it. */
type Guard = (permission: string) => preHandlerAsyncHookHandler

/** Who asks, as the guard found it; absent where there is none. */
const claimsOf = ({ principal }: FastifyRequest): { roles: readonly string[]; tenant?: string | undefined } => principal ?? { roles: [] }

/**
 * As whom a request's queries run. Without trust levels there is one ClickHouse user for all, who reads the rows of all tenants: a caller
 * whose token is bound to one gets nothing then.
 */
export function readerOfRequest(access: Pick<AccessControl, 'readerOf'> | null): (request: FastifyRequest) => AnalyticsReader {
  return (request) => ({ ...scopeOfToken(request), ...trustedReader(access, request) })
}

function trustedReader(access: Pick<AccessControl, 'readerOf'> | null, request: FastifyRequest): TrustedReader | Record<string, never> {
  const { roles, tenant } = claimsOf(request)
  if (access !== null) return access.readerOf(tenant === undefined ? { roles } : { roles, tenant })
  if (tenant !== undefined) throw new PermissionDeniedError('the token is bound to a tenant, and this server keeps tenants apart only when it is told how: CLICKHOUSE_ACCESS_FILE')
  return {}
}

/** What callers of a tenant may reach at all: what is not told apart by tenant is not for them. */
const TOLD_APART: ReadonlySet<string> = new Set(['analytics:query', 'analytics:cache:read', 'analytics:cache:invalidate'])

/** Lets a caller through the guard, unless it belongs to a tenant and the route shows the rows of all. */
export function keepTenantsApart(guard: Guard): Guard {
  return (permission) => {
    const hook = guard(permission)
    if (TOLD_APART.has(permission)) return hook
    return async function (request, reply) {
      await hook.call(this, request, reply)
      if (reply.sent || claimsOf(request).tenant === undefined) return
      const problem = toProblem(new PermissionDeniedError('the token is bound to a tenant, and what this route shows is not told apart by tenant'))
      await reply.code(problem.status).type('application/problem+json').send(problem)
    }
  }
}
