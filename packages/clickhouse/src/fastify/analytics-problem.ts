import { hasErrorMark, type ProblemDetails, toProblem } from '@smart-whale/interfaces'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { publicQueryError } from '../analytics/public-error.ts'

/** Answers a failure as `application/problem+json`; what is wrong inside goes to the log alone. */
export function answerAnalyticsProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = analyticsProblem(error)
  if (problem.status >= 500) request.log.error({ err: error }, 'an analytics request failed')
  else if (hasErrorMark(error, 'ClickHouseBaseError')) request.log.info({ err: error }, 'an analytics query was refused')
  if (problem.status === 503) reply.header('retry-after', '1')
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

/** What a caller may read of a failure: which field is to blame and why, nothing of the inside. */
export function analyticsProblem(error: unknown): ProblemDetails {
  return toProblem(publicQueryError(error, ['body']))
}
