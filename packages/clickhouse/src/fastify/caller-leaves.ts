import type { FastifyReply } from 'fastify'

/** Aborts when the connection closes before the answer is out: the query is then for nobody. */
export function abortWhenCallerLeaves(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new DOMException('the caller closed the connection', 'AbortError'))
  })
  return controller.signal
}
