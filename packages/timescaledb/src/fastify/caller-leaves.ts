import type { FastifyReply } from 'fastify'

/** Aborts when the caller hangs up before it has its answer, so that the server stops working for nobody. */
export function abortWhenCallerLeaves(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort()
  })
  return controller.signal
}
