import { ConfigurationError } from '@smart-whale/interfaces'
import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import mercurius, { type MercuriusOptions } from 'mercurius'
import type { ClickHouseErrorCode } from '../errors.ts'
import type { GraphqlContext } from './graphql-context.ts'
import type { ServableGraphqlLayer } from './graphql-layer.ts'
import type { GraphQLLayer, GraphqlProblem } from './graphql-options.ts'
import { serveSubscriptions } from './serve-subscriptions.ts'
import { abortWhenCallerLeaves } from '../fastify/caller-leaves.ts'

/** How a {@link GraphQLLayer} is served. */
export interface GraphqlRouteOptions {
  /** Made by `createGraphqlLayer` or `setupClickHouse`. @default none, required */
  layer: GraphQLLayer
  /** Where it is served. @default '/graphql' */
  path?: string | undefined
  /** Makes the hook that lets a caller with the permission through. @default everybody may ask */
  guard?: ((permission: string) => preHandlerAsyncHookHandler) | undefined
  /** Permission that the route itself needs; fields have their own, see `authorize`. @default 'analytics:query' */
  permission?: string | undefined
  /** As whom a request's queries run, and whom their kept answers may be served to. @default one role and one scope for all */
  readerOf?: ((request: FastifyRequest) => Pick<GraphqlContext, 'role' | 'scope' | 'level' | 'tenant'>) | undefined
  /** Largest body, in bytes. @default 1048576 */
  maxBodyBytes?: number | undefined
}

/** Parsed and compiled documents that are kept. */
const MAX_KNOWN_DOCUMENTS = 128
/** A document is compiled when it comes for the second time. */
const COMPILE_AFTER = 1

/** Serves the layer at `GET` and `POST /graphql`, by mercurius with compiled queries, and its subscriptions, where it has some, at `POST /graphql/stream`. GraphiQL is the application's own to serve. */
export async function registerGraphql(fastify: FastifyInstance, options: GraphqlRouteOptions): Promise<void> {
  // In a context of its own: mercurius decorates whatever it is registered on.
  const layer = servable(options.layer)
  await fastify.register(async (scope) => {
    await scope.register(mercurius, mercuriusOptions(layer, options))
    refuseWhatIsNoGraphql(scope, layer)
  })
  if (layer.schema.getSubscriptionType()) await fastify.register(async (scope) => serveSubscriptions(scope, layer, options))
}

/** The front door of the package hides what only a server needs. */
function servable(layer: GraphQLLayer): ServableGraphqlLayer {
  if ('rules' in layer && 'resolvers' in layer) return layer as ServableGraphqlLayer
  throw new ConfigurationError<ClickHouseErrorCode>('layer must be made by createGraphqlLayer or setupClickHouse', {
    code: 'ERR_CLICKHOUSE_CONFIGURATION',
  })
}

function mercuriusOptions(
  layer: ServableGraphqlLayer,
  { path = '/graphql', guard, permission = 'analytics:query', readerOf, maxBodyBytes = 1_048_576 }: GraphqlRouteOptions,
) {
  return {
    // As text, not as an object: mercurius may work with another copy of graphql than this file, which would refuse it.
    schema: layer.getSchema(),
    resolvers: { ...layer.resolvers, ...layer.scalars } as NonNullable<MercuriusOptions['resolvers']>,
    path,
    graphiql: false,
    jit: COMPILE_AFTER,
    cache: MAX_KNOWN_DOCUMENTS,
    validationRules: [...layer.rules],
    graphql: { parseOptions: { maxTokens: layer.limits.maxTokens } },
    context: (request: FastifyRequest, reply: FastifyReply) => ({ request, signal: abortWhenCallerLeaves(reply), budget: layer.newBudget(), ...readerOf?.(request) }),
    additionalRouteOptions: { bodyLimit: maxBodyBytes, ...(guard ? { preHandler: guard(permission) } : {}) },
    errorFormatter: (execution: { data?: unknown; errors: readonly unknown[] }) => formatExecution(layer, execution),
    errorHandler: (error: unknown, _request: FastifyRequest, reply: FastifyReply) => {
      const errors = errorsWithin(error).map(layer.formatError)
      void reply.code(errors[0]?.extensions.status ?? 500).send({ data: null, errors })
    },
  }
}

/** An operation that ran is answered with 200, whatever became of its fields: each error says what it is in its extensions. */
function formatExecution(layer: ServableGraphqlLayer, execution: { data?: unknown; errors: readonly unknown[] }) {
  const errors: GraphqlProblem[] = execution.errors.flatMap(errorsWithin).map(layer.formatError)
  return { statusCode: 200, response: { data: (execution.data ?? null) as Record<string, unknown> | null, errors } }
}

/** mercurius wraps what validation found into one error. */
function errorsWithin(error: unknown): unknown[] {
  const { errors, originalError } = (error ?? {}) as { errors?: unknown; originalError?: { errors?: unknown } }
  const within = errors ?? originalError?.errors
  return Array.isArray(within) && within.length > 0 ? within : [error]
}

/**
 * mercurius takes a document that it can't parse for JSON of a syntax tree, and would validate and run whatever tree it finds there.
 * Only text that is GraphQL gets that far.
 */
function refuseWhatIsNoGraphql(scope: FastifyInstance, layer: ServableGraphqlLayer): void {
  const known = new Set<string>()
  scope.graphql.addHook('preParsing', async (_schema, source) => {
    if (known.has(source)) return
    layer.parse(source)
    if (known.size >= MAX_KNOWN_DOCUMENTS) known.delete(known.values().next().value ?? '')
    known.add(source)
  })
}
