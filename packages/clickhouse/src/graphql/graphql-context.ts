import type { FastifyRequest } from 'fastify'

/** What resolvers know of a request. */
export interface GraphqlContext {
  /** The HTTP request; absent when the layer is called directly. */
  readonly request?: FastifyRequest | undefined
  /** Aborts when the caller has gone. */
  readonly signal?: AbortSignal | undefined
  /** ClickHouse role under which analytics queries run. */
  readonly role?: string | undefined
  /** Whom kept answers may be served to. */
  readonly scope?: string | undefined
}

/** Refuses by throwing an error with status 401 or 403. */
export type Authorize = (permission: string, context: GraphqlContext) => void | Promise<void>
