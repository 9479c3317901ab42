import type { EstimateBudget } from '../access/request-budget.ts'

/** What resolvers know of a request. */
export interface GraphqlContext {
  /** The HTTP request; absent when the layer is called directly. Served by Fastify it is Fastify's own, with all that plugins added to it. */
  readonly request?: GraphqlRequest | undefined
  /** Aborts when the caller has gone. */
  readonly signal?: AbortSignal | undefined
  /** ClickHouse role under which analytics queries run. */
  readonly role?: string | undefined
  /** Whom kept answers may be served to. */
  readonly scope?: string | undefined
  /** Trust level at which analytics queries run, where the service has several. */
  readonly level?: string | undefined
  /** Whose rows analytics queries may read. */
  readonly tenant?: string | undefined
  /** What the request's queries may be estimated to read together. */
  readonly budget?: EstimateBudget | undefined
}

/** The smallest part of a `FastifyRequest`, so that this package's front door needs no types of Fastify. */
export interface GraphqlRequest {
  readonly id: string
  readonly ip: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Refuses by throwing an error with status 401 or 403. */
export type Authorize = (permission: string, context: GraphqlContext) => void | Promise<void>
