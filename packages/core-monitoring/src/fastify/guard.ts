import { toProblem } from '@smart-whale/interfaces'
import type { FastifyInstance, preHandlerAsyncHookHandler } from 'fastify'

/** Makes the hook that lets only callers with a permission through. */
export type Guard = (permission: string) => preHandlerAsyncHookHandler

/** Failures of the routes of this scope are answered as problem+json, and those inside are told to the log alone. */
export function answerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    if (problem.status >= 500) request.log.error({ err: error }, 'a monitoring route failed')
    return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem))
  })
}

/** Schema of a refusal, for the API reference. */
export const problemSchema = {
  type: 'object',
  description: 'Problem details (RFC 9457)',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
  },
} as const
