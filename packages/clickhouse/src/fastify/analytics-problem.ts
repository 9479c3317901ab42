import { hasErrorMark, type ProblemDetails, toProblem } from '@smart-whale/interfaces'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { publicQueryError } from '../analytics/public-error.ts'

/** Answers a failure as `application/problem+json`; what is wrong inside goes to the log alone. */
export function answerAnalyticsProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = analyticsProblem(error, request.method === 'GET' ? 'querystring' : 'body')
  if (problem.status >= 500) request.log.error({ err: error }, 'an analytics request failed')
  else if (hasErrorMark(error, 'ClickHouseBaseError')) request.log.info({ err: error }, 'an analytics query was refused')
  const wait = retryAfterSeconds(error, problem.status)
  if (wait !== undefined) reply.header('retry-after', String(wait))
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

/** When it is worth asking again: as the quota says, else soon. */
function retryAfterSeconds(error: unknown, status: number): number | undefined {
  const { retryAfterMs } = error as { retryAfterMs?: unknown }
  if (typeof retryAfterMs === 'number') return Math.max(1, Math.ceil(retryAfterMs / 1000))
  return status === 503 || status === 429 ? 1 : undefined
}

/** What a caller may read of a failure: which field is to blame and why, nothing of the inside. */
export function analyticsProblem(error: unknown, place: 'body' | 'querystring' = 'body'): ProblemDetails {
  return toProblem(publicQueryError(error, [place]))
}
