import { ConfigurationError, silentLogger, ValidationError } from '@smart-whale/interfaces'
import { type DocumentNode, execute, GraphQLError, parse, specifiedRules, printSchema, validate, type ValidationRule } from 'graphql'
import { type EstimateBudget, RequestBudget } from '../access/request-budget.ts'
import type { QueryParams } from '../adapter-options.ts'
import type { AnalyticsQueryOptions } from '../analytics/analytics-query.ts'
import { type AnalyticsService, createAnalyticsService } from '../analytics/analytics-service.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { PermissionDeniedError } from '../operational-errors.ts'
import type { GraphqlContext } from './graphql-context.ts'
import { formatGraphqlError } from './graphql-error.ts'
import {
  GRAPHQL_LIMITS,
  type GraphqlAnswer,
  type GraphQLLayer,
  type GraphqlLayerOptions,
  type GraphqlLimits,
  type GraphqlProblem,
  type GraphqlResolver,
  type GraphqlResolvers,
} from './graphql-options.ts'
import { type GraphqlExecutable, makeGraphqlSchema } from './graphql-schema.ts'
import { limitRules, overLimit } from './limit-rules.ts'

/** A layer with what a server needs to serve it. */
export interface ServableGraphqlLayer extends GraphQLLayer, GraphqlExecutable {
  /** The rules that bound a document, besides GraphQL's own. */
  readonly rules: readonly ValidationRule[]
  readonly limits: GraphqlLimits
  /** The document, if it is GraphQL within the limits of length. @throws GraphQLError */
  parse(text: string): DocumentNode
  /** What the queries of one request may read; undefined where nothing is estimated. */
  newBudget(): EstimateBudget | undefined
  /** What a caller may read of a failure. */
  formatError(error: unknown): GraphqlProblem
}

/** What one analytics query adds to the cost of a document. */
const ANALYTICS_COST = 100
/** Documents that were found valid and are kept parsed. */
const MAX_KNOWN_DOCUMENTS = 128

/**
 * Makes a {@link GraphQLLayer}; without a service, over one of its own, by the `CLICKHOUSE_*` variables.
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION`
 */
export function createGraphqlLayer(options: GraphqlLayerOptions = {}): ServableGraphqlLayer {
  const limits = checkLimits(options.limits)
  const own = options.analyticsService === undefined ? createAnalyticsService() : undefined
  const executable = makeGraphqlSchema(analyticsResolvers(options.analyticsService ?? (own as AnalyticsService)), options.extend ?? {}, options.authorize ?? (() => {}))
  const { schema } = executable
  const rules = limitRules(limits, { 'Query.analytics': ANALYTICS_COST, ...options.extend?.costs })
  const logger = options.logger ?? silentLogger
  const valid = new Map<string, DocumentNode>()
  const formatError = (error: unknown): GraphqlProblem => formatGraphqlError(error, logger)

  function understand(text: string): DocumentNode | readonly GraphQLError[] {
    const known = valid.get(text)
    if (known !== undefined) return known
    const document = parseWithin(text, limits)
    const findings = validate(schema, document, [...specifiedRules, ...rules])
    if (findings.length > 0) return findings
    if (valid.size >= MAX_KNOWN_DOCUMENTS) valid.delete(valid.keys().next().value ?? '')
    valid.set(text, document)
    return document
  }

  const newBudget = (): EstimateBudget | undefined => (limits.maxEstimatedRows === 0 ? undefined : new RequestBudget(limits.maxEstimatedRows))

  async function resolveQuery(text: string, variables: Record<string, unknown> = {}, context: GraphqlContext = {}): Promise<GraphqlAnswer> {
    try {
      const document = understand(text)
      if (!('kind' in document)) return { errors: document.map(formatError) }
      const { data, errors } = await execute({ schema, document, variableValues: variables, contextValue: { ...context, budget: context.budget ?? newBudget() } })
      return { ...(data === undefined ? {} : { data }), ...(errors ? { errors: errors.map(formatError) } : {}) }
    } catch (error) {
      return { errors: [formatError(error)] }
    }
  }

  return {
    ...executable,
    rules,
    limits,
    newBudget,
    resolveQuery,
    getSchema: () => printSchema(schema),
    parse: (text) => parseWithin(text, limits),
    formatError,
    close: async () => own?.close(),
  }
}

function analyticsResolvers(service: AnalyticsService): GraphqlResolvers {
  return {
    Query: {
      analytics: async (_source, { query, params, options }, { role, scope, level, tenant, budget, signal }) =>
        query === undefined || query === null ? onlyMetrics : service.executeAnalyticsQuery({
          query: query as string,
          params: (params ?? undefined) as QueryParams | undefined,
          options: { ...withoutNulls((options ?? {}) as AnalyticsQueryOptions), role, scope, level, tenant, budget, signal },
        }),
      cacheStats: async (_source, _args, { tenant }) => {
        if (tenant !== undefined) throw new PermissionDeniedError("the cache is everybody's; callers who belong to a tenant may not look at it")
        return service.getCacheStats()
      },
    },
    AnalyticsResult: answerFields,
  }
}

/** What `analytics` is without a statement: fields of metrics compute themselves, those of an answer are not there. */
const onlyMetrics: Readonly<Record<string, unknown>> = {}

/** The fields that every answer to a statement has. */
const answerFields: Readonly<Record<string, GraphqlResolver>> = Object.fromEntries(
  ['data', 'columns', 'cache', 'queryId'].map((field) => [
    field,
    (source: unknown) => {
      if (source !== onlyMetrics) return (source as Readonly<Record<string, unknown>>)[field]
      const message = 'must be SQL text where the answer to a statement is asked for'
      throw new ValidationError<ClickHouseErrorCode>(`query ${message}`, { code: 'ERR_CLICKHOUSE_ANALYTICS_QUERY', issues: [{ path: ['query'], message }] })
    },
  ]),
)

/** GraphQL has null where the service has nothing. */
function withoutNulls(options: AnalyticsQueryOptions): AnalyticsQueryOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null))
}

function parseWithin(text: string, limits: GraphqlLimits): DocumentNode {
  if (typeof text !== 'string') throw new GraphQLError(`the query must be text, got ${text === null ? 'null' : typeof text}`)
  if (text.length > limits.maxDocumentLength) {
    throw overLimit(`the document has ${text.length} characters, allowed are ${limits.maxDocumentLength}; pass values as variables`)
  }
  return parse(text, { maxTokens: limits.maxTokens })
}

function checkLimits(limits: Partial<GraphqlLimits> = {}): GraphqlLimits {
  const wanted = { ...GRAPHQL_LIMITS, ...limits }
  for (const [name, value] of Object.entries(wanted)) {
    if (Number.isInteger(value) && value >= 0) continue
    throw new ConfigurationError<ClickHouseErrorCode>(`limits.${name} must be a whole number ≥ 0, got ${String(value)}`, {
      code: 'ERR_CLICKHOUSE_CONFIGURATION',
    })
  }
  return wanted
}
