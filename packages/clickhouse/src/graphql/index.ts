export type { Authorize, GraphqlContext, GraphqlRequest } from './graphql-context.ts'
export { createGraphqlLayer, type ServableGraphqlLayer } from './graphql-layer.ts'
export type {
  FieldCosts,
  GraphqlAnswer,
  GraphqlExtension,
  GraphQLLayer,
  GraphqlLayerOptions,
  GraphqlLimits,
  GraphqlProblem,
  GraphqlResolver,
  GraphqlResolvers,
  GraphqlSubscriber,
} from './graphql-options.ts'
export { type AskableMetrics, metricFields, type MetricFieldsOptions } from './metric-fields.ts'
export { type FollowableMetrics, liveMetricFields } from './metric-live-fields.ts'
export type { GraphqlExecutable } from './graphql-schema.ts'
export { type GraphqlRouteOptions, registerGraphql } from './register-graphql.ts'
