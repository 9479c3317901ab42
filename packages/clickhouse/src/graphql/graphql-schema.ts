import { ConfigurationError } from '@smart-whale/interfaces'
import { assertValidSchema, buildSchema, extendSchema, type GraphQLScalarType, type GraphQLSchema, isObjectType, parse } from 'graphql'
import type { ClickHouseErrorCode } from '../errors.ts'
import type { Authorize, GraphqlContext } from './graphql-context.ts'
import type { GraphqlExtension, GraphqlResolver, GraphqlResolvers, GraphqlSubscriber } from './graphql-options.ts'
import { jsonScalar } from './json-scalar.ts'

const TYPES = /* GraphQL */ `
  scalar JSON

  type Query {
    "Runs one statement on ClickHouse as a read-only user; without one it is the way to the metrics, where there are any."
    analytics(query: String, params: JSON, options: AnalyticsOptions): AnalyticsResult!
    "What the result cache does."
    cacheStats: CacheStats!
  }

  input AnalyticsOptions {
    "false asks the server in any case and keeps nothing."
    cache: Boolean
    ttlSeconds: Int
    timeoutMs: Int
  }

  type AnalyticsResult {
    "Rows by column name. 64-bit integers and decimals are strings; their types stand in columns."
    data: [JSON!]!
    columns: [Column!]!
    "What the query cost; null to callers who belong to a tenant."
    statistics: QueryStatistics
    cache: CacheState!
    queryId: String!
    "Set when the quota is spent and the answer is an older one."
    degraded: DegradedAnswer
  }

  type DegradedAnswer {
    "The kind of quota that is spent."
    quota: String!
    "When there is some again, in milliseconds."
    retryAfterMs: Float!
  }

  type Column {
    name: String!
    "ClickHouse's own type text."
    type: String!
  }

  type QueryStatistics {
    rowsRead: Float!
    bytesRead: Float!
    elapsedMs: Float!
  }

  type CacheState {
    status: CacheStatus!
    ageMs: Float!
    "0 when the answer is not kept."
    ttlSeconds: Int!
  }

  enum CacheStatus {
    hit
    stale
    miss
    shared
    bypass
  }

  type CacheStats {
    hits: Float!
    staleHits: Float!
    misses: Float!
    shared: Float!
    bypassed: Float!
    outdated: Float!
    invalidations: Float!
    failures: Float!
    "Answers kept, counted up to 10,000."
    entries: Float
    inFlight: Float!
    waiting: Float!
    hitRatio: Float!
  }
`

const PERMISSIONS: Readonly<Record<string, string | null>> = {
  'Query.analytics': 'analytics:query',
  'Query.cacheStats': 'analytics:cache:read',
}

/** What computes the fields of a schema, and how its scalar is read and written: what graphql-js and mercurius both take. */
export interface GraphqlExecutable {
  readonly schema: GraphQLSchema
  /** Every root field behind its permission. */
  readonly resolvers: GraphqlResolvers
  readonly scalars: { readonly JSON: Pick<GraphQLScalarType, 'serialize' | 'parseValue' | 'parseLiteral'> }
}

/**
 * The schema with its resolvers in place.
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` when the extension is wrong or leaves a root field without a permission
 */
export function makeGraphqlSchema(own: GraphqlResolvers, extension: GraphqlExtension, authorize: Authorize): GraphqlExecutable {
  const schema = withTypes(extension.typeDefs ?? '')
  const all = together(own, extension.resolvers ?? {})
  const resolvers = together(all, guardedRoots(schema, all, { ...PERMISSIONS, ...extension.permissions }, authorize))
  attach(schema, resolvers)
  attachSubscriptions(schema, extension, authorize)
  const { serialize, parseValue, parseLiteral } = jsonScalar
  const scalar = { serialize, parseValue, parseLiteral }
  Object.assign(schema.getType('JSON') as GraphQLScalarType, scalar)
  return { schema, resolvers, scalars: { JSON: scalar } }
}

function withTypes(typeDefs: string): GraphQLSchema {
  const own = buildSchema(TYPES)
  if (typeDefs.trim() === '') return own
  try {
    const schema = extendSchema(own, parse(typeDefs))
    assertValidSchema(schema)
    return schema
  } catch (error) {
    throw wrong(`extend.typeDefs do not fit the schema: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

function together(one: GraphqlResolvers, other: GraphqlResolvers): GraphqlResolvers {
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return Object.fromEntries([...names].map((name) => [name, { ...one[name], ...other[name] }]))
}

function guardedRoots(
  schema: GraphQLSchema,
  resolvers: GraphqlResolvers,
  permissions: Readonly<Record<string, string | null>>,
  authorize: Authorize,
): GraphqlResolvers {
  const roots = [schema.getQueryType(), schema.getMutationType()].filter((type) => type !== null && type !== undefined)
  return Object.fromEntries(
    roots.map((type) => {
      const guarded = Object.keys(type.getFields()).map((field) => {
        const name = `${type.name}.${field}`
        const permission = permissions[name]
        const resolve = resolvers[type.name]?.[field]
        if (resolve === undefined) throw wrong(`"${name}" has no resolver; add one to extend.resolvers`)
        if (permission === undefined)
          throw wrong(`"${name}" has no permission; name one in extend.permissions, or null if everybody may read it`)
        return [field, permission === null ? resolve : behind(resolve, permission, authorize)] as const
      })
      return [type.name, Object.fromEntries(guarded)]
    }),
  )
}

function behind(resolve: GraphqlResolver, permission: string, authorize: Authorize): GraphqlResolver {
  return async (source, args, context) => {
    await authorize(permission, context)
    return resolve(source, args, context)
  }
}

function attach(schema: GraphQLSchema, resolvers: GraphqlResolvers): void {
  for (const [typeName, fields] of Object.entries(resolvers)) {
    const type = schema.getType(typeName)
    if (!isObjectType(type)) throw wrong(`extend.resolvers names the type "${typeName}", which typeDefs don't define as an object type`)
    for (const [name, resolve] of Object.entries(fields)) {
      const field = type.getFields()[name]
      if (field === undefined) throw wrong(`extend.resolvers names "${typeName}.${name}", which typeDefs don't define`)
      field.resolve = (source, args: Record<string, unknown>, context: GraphqlContext) => resolve(source, args, context)
    }
  }
}

function attachSubscriptions(schema: GraphQLSchema, { subscriptions = {}, permissions = {} }: GraphqlExtension, authorize: Authorize): void {
  const fields = schema.getSubscriptionType()?.getFields() ?? {}
  for (const name of Object.keys(subscriptions)) if (fields[name] === undefined) throw wrong(`extend.subscriptions names "${name}", which typeDefs don't define`)
  for (const [name, field] of Object.entries(fields)) {
    const permission = permissions[`Subscription.${name}`]
    const follow = subscriptions[name] as GraphqlSubscriber | undefined
    if (follow === undefined) throw wrong(`"Subscription.${name}" has nothing to tell; add it to extend.subscriptions`)
    if (permission === undefined) throw wrong(`"Subscription.${name}" has no permission; name one in extend.permissions, or null if everybody may follow it`)
    field.subscribe = async (_source, args: Record<string, unknown>, context: GraphqlContext) => {
      if (permission !== null) await authorize(permission, context)
      return follow(args, context)
    }
    field.resolve = (event: unknown) => event
  }
}

function wrong(message: string, cause?: unknown): ConfigurationError<ClickHouseErrorCode> {
  return new ConfigurationError<ClickHouseErrorCode>(message, { code: 'ERR_CLICKHOUSE_CONFIGURATION', cause })
}
