import { systemClock } from '@smart-whale/interfaces'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type DocumentNode, type ExecutionResult, getOperationAST, GraphQLError, specifiedRules, subscribe, validate } from 'graphql'
import { eventStreams, writtenEvent } from '../fastify/event-stream.ts'
import type { ServableGraphqlLayer } from './graphql-layer.ts'
import type { GraphqlRouteOptions } from './register-graphql.ts'

/** A document that was found valid runs until its caller leaves, but no longer than this: then it is looked at anew. */
const MAX_STREAM_MS = 900_000
const HEARTBEAT_MS = 15_000

/**
 * Subscriptions as server-sent events, in the way of graphql-sse ("distinct connections"): `next` with each result, `complete` at the end.
 * Not by mercurius' websockets, which run a document without validating it, and so without the limits of the layer.
 */
export function serveSubscriptions(scope: FastifyInstance, layer: ServableGraphqlLayer, options: GraphqlRouteOptions): void {
  const { path = '/graphql', guard, permission = 'analytics:query', readerOf, maxBodyBytes = 1_048_576 } = options
  const openStream = eventStreams(scope, { heartbeatMs: HEARTBEAT_MS, maxStreamMs: MAX_STREAM_MS, clock: systemClock })
  const refuse = (reply: FastifyReply, errors: readonly unknown[]): FastifyReply => {
    const problems = errors.map(layer.formatError)
    return reply.code(problems[0]?.extensions.status ?? 500).send({ errors: problems })
  }

  const follow = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { query, variables } = (request.body ?? {}) as { query?: unknown; variables?: Record<string, unknown> | null }
    try {
      const document = layer.parse(query as string)
      const findings = [...validate(layer.schema, document, [...specifiedRules, ...layer.rules]), ...onlySubscriptions(document)]
      if (findings.length > 0) return refuse(reply, findings)
      const stream = openStream(reply)
      const contextValue = { request, signal: stream.signal, ...readerOf?.(request) }
      const results = await subscribe({ schema: layer.schema, document, variableValues: variables ?? {}, contextValue })
      if (!(Symbol.asyncIterator in results)) return refuse(reply, results.errors ?? [])
      // The first result decides what the reply is: a stream, or a problem.
      const first = await results.next()
      return stream.send([], texts(layer, first, results))
    } catch (error) {
      return refuse(reply, [error])
    }
  }
  scope.post(`${path}/stream`, { bodyLimit: maxBodyBytes, ...(guard === undefined ? {} : { preHandler: guard(permission) }) }, follow)
}

function onlySubscriptions(document: DocumentNode): GraphQLError[] {
  return getOperationAST(document)?.operation === 'subscription' ? [] : [new GraphQLError('only a subscription is a stream; ask queries where the stream is not')]
}

async function* texts(layer: ServableGraphqlLayer, first: IteratorResult<ExecutionResult, unknown>, results: AsyncGenerator<ExecutionResult, void, void>): AsyncGenerator<string, undefined> {
  try {
    for (let next = first; next.done !== true; next = await results.next()) yield textOf(layer, next.value)
    yield 'event: complete\ndata:\n\n'
  } finally {
    await results.return()
  }
}

function textOf(layer: ServableGraphqlLayer, { data, errors }: ExecutionResult): string {
  return writtenEvent({ name: 'next', data: { data: data ?? null, ...(errors === undefined ? {} : { errors: errors.map(layer.formatError) }) } })
}
