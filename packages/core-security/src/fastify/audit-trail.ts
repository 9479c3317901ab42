import type { AuditSink } from '@smart-whale/interfaces'
import type { FastifyRequest } from 'fastify'

/** Most denials that may wait for the sink at once: a flood of refused requests must not fill the memory of a slow sink's client. */
const MAX_PENDING = 1000

/** Makes a function that records a refused request without making anybody wait; what the sink can't take is said in the log. */
export function createAuditTrail(audit: AuditSink): (request: FastifyRequest, permission: string, code: string) => void {
  let pending = 0

  return (request, permission, code) => {
    if (pending >= MAX_PENDING) {
      request.log.error({ permission, code, pending }, 'a denied request was not audited: the audit sink is too slow')
      return
    }
    pending += 1
    const event = {
      actor: request.principal?.subject ?? 'anonymous',
      action: permission,
      resource: `${request.method} ${request.routeOptions.url ?? 'unknown route'}`,
      outcome: 'denied',
      details: { code, address: request.ip, requestId: request.id },
    } as const
    // An async function also turns a sink that throws at once into a rejection.
    const record = async (): Promise<void> => audit.record(event)
    void record()
      .catch((error: unknown) => request.log.error({ err: error }, 'a denied request was not audited: the audit sink failed'))
      .finally(() => {
        pending -= 1
      })
  }
}
