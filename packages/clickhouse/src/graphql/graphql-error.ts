import { InfrastructureError, type Logger, toProblem } from '@smart-whale/interfaces'
import { GraphQLError } from 'graphql'
import { publicQueryError } from '../analytics/public-error.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import type { GraphqlProblem } from './graphql-options.ts'

/** What a caller may read of a failure. What is wrong inside goes to the log alone. */
export function formatGraphqlError(error: unknown, logger: Logger): GraphqlProblem {
  const { locations, path } = (error ?? {}) as Partial<GraphQLError>
  const place = { ...(locations ? { locations } : {}), ...(path ? { path } : {}) }
  const cause = causeOf(error)
  if (cause === undefined) return { message: (error as GraphQLError).message, ...place, extensions: refusalOf(error as GraphQLError) }

  const problem = toProblem(publicQueryError(cause, path ?? []))
  if (problem.status >= 500) logger.error({ err: cause }, 'a GraphQL field failed')
  const { detail, code, status, issues } = problem
  const { retryAfterMs } = cause as { retryAfterMs?: unknown }
  return { message: detail, ...place, extensions: { code, status, ...(issues ? { issues } : {}), ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}) } }
}

/** What a resolver threw; `undefined` for what GraphQL itself found wrong with the request. */
function causeOf(error: unknown): unknown {
  if (!isGraphqlError(error)) return error
  return error.originalError === undefined || error.originalError === null ? undefined : causeOf(error.originalError)
}

/** By shape: an application may have a second copy of graphql, and a compiled query throws a class of its own. */
function isGraphqlError(error: unknown): error is GraphQLError {
  return (
    error instanceof GraphQLError ||
    (error instanceof Error && !InfrastructureError.isInstance(error) && 'locations' in error && 'originalError' in error)
  )
}

function refusalOf(error: GraphQLError): GraphqlProblem['extensions'] {
  const invalid: ClickHouseErrorCode = 'ERR_CLICKHOUSE_GRAPHQL_INVALID'
  return { code: typeof error.extensions?.code === 'string' ? error.extensions.code : invalid, status: 400 }
}
