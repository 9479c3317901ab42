// Without a type of graphql's: whoever uses the rest of the package need not have it installed.
import type { Logger, ValidationIssue } from '@smart-whale/interfaces'
import type { AnalyticsService } from '../analytics/analytics-service.ts'
import type { Authorize, GraphqlContext } from './graphql-context.ts'

/** Computes a field. */
export type GraphqlResolver = (source: unknown, args: Record<string, unknown>, context: GraphqlContext) => unknown

/** Follows what a subscription is about; the field itself is each of its events. Ends when the context's signal is aborted. */
export type GraphqlSubscriber = (args: Record<string, unknown>, context: GraphqlContext) => AsyncIterable<unknown> | Promise<AsyncIterable<unknown>>

/** Resolvers by type and field. */
export type GraphqlResolvers = Readonly<Record<string, Readonly<Record<string, GraphqlResolver>>>>

/** Cost of a field by `Type.field`; a field that isn't named costs 1. */
export type FieldCosts = Readonly<Record<string, number>>

/** Fields of one's own beside the analytics ones. */
export interface GraphqlExtension {
  /** SDL, e.g. `extend type Query { timeseries(table: String!): [Point!]! } type Point { … }`. @default '' */
  typeDefs?: string
  /** What computes the fields. @default {} */
  resolvers?: GraphqlResolvers
  /** What the fields of `Subscription` tell, by their names; each is served at `<path>/stream`. @default {} */
  subscriptions?: Readonly<Record<string, GraphqlSubscriber>>
  /** Permission that each root field needs, by `Query.field`; `null` for a field that everybody may read. Each root field must be named. @default {} */
  permissions?: Readonly<Record<string, string | null>>
  /** Cost of fields by `Type.field`. @default 1 each */
  costs?: FieldCosts
}

/** Bounds of what one GraphQL request may ask. */
export interface GraphqlLimits {
  /** Longest document, in characters. @default 32768 */
  maxDocumentLength: number
  /** Most words and signs of a document. @default 1000 */
  maxTokens: number
  /** Deepest nesting of fields; introspection has a limit of its own. @default 8 */
  maxDepth: number
  /** Most fields under another name than their own. @default 16 */
  maxAliases: number
  /** Most that the fields may cost together: 100 for each analytics query, 1 for any other, and what `costs` says. @default 1000 */
  maxCost: number
  /** Rows that the request's queries may be estimated to read together; each is estimated before it runs, unless its answer is kept. 0 estimates nothing. @default 0 */
  maxEstimatedRows: number
}

/** Every default, once. */
export const GRAPHQL_LIMITS: GraphqlLimits = { maxDocumentLength: 32_768, maxTokens: 1000, maxDepth: 8, maxAliases: 16, maxCost: 1000, maxEstimatedRows: 0 }

/** What a {@link GraphQLLayer} is made from. */
export interface GraphqlLayerOptions {
  /** Answers the `analytics` fields. The user of its adapter must be a read-only one: it runs what callers send. @default made over an adapter by the `CLICKHOUSE_*` variables */
  analyticsService?: AnalyticsService | undefined
  /** Refuses a field by throwing. @default everybody may read everything */
  authorize?: Authorize | undefined
  /** Fields of one's own. @default none */
  extend?: GraphqlExtension | undefined
  /** Bounds of a request. @default see {@link GraphqlLimits} */
  limits?: Partial<GraphqlLimits> | undefined
  /** Hears of what fails inside. @default silentLogger */
  logger?: Logger | undefined
}

/** An error as a GraphQL answer carries it: a code to decide from, and nothing of the inside. */
export interface GraphqlProblem {
  readonly message: string
  readonly locations?: readonly { readonly line: number; readonly column: number }[]
  readonly path?: readonly (string | number)[]
  readonly extensions: { readonly code: string; readonly status: number; readonly issues?: readonly ValidationIssue[]; readonly retryAfterMs?: number }
}

/** An answer as GraphQL has it. */
export interface GraphqlAnswer {
  readonly data?: Record<string, unknown> | null
  readonly errors?: readonly GraphqlProblem[]
}

/** ClickHouse analytics as a GraphQL schema, served by `registerGraphql` or called directly. */
export interface GraphQLLayer {
  /** Answers one operation. Never rejects: what is wrong stands in `errors`. */
  resolveQuery(text: string, variables?: Record<string, unknown>, context?: GraphqlContext): Promise<GraphqlAnswer>
  /** The schema as SDL. */
  getSchema(): string
  /** Closes the service that was made for it; one that was handed in stays open. */
  close(): Promise<void>
}
