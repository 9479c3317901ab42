import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:http'
import Fastify from 'fastify'
import { buildSchema, graphql } from 'graphql'
import { createAnalyticsService, createAdapter } from '@smart-whale/clickhouse'
import { createGraphqlLayer, registerGraphql } from '@smart-whale/clickhouse/graphql'
import { POINTS, POINTS_SDL } from './points.ts'
import type { ServerConfig } from './server-config.ts'

/** A server that listens, and what its callers must send. */
export interface ListeningServer {
  readonly port: number
  readonly headers: Readonly<Record<string, string>>
  close(): Promise<void>
}

/** Fastify with one route and nothing else: takes JSON, answers with the points. */
export async function bareFastify(): Promise<ListeningServer> {
  const app = Fastify({ keepAliveTimeout: 600_000 })
  app.post('/analytics', async () => ({ data: POINTS }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: portOf(app.server), headers: {}, close: () => app.close() }
}

/** graphql-js behind node:http, as its documentation shows it: parses, validates and executes every request. */
export async function graphqlJs(): Promise<ListeningServer> {
  const schema = buildSchema(`type Query { points: [Point!]! } ${POINTS_SDL}`)
  const rootValue = { points: () => POINTS }
  // A connection that rests while others have their turn is no reason to close it.
  const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { query, variables } = JSON.parse(Buffer.concat(pieces).toString()) as { query: string; variables?: Record<string, unknown> }
      void graphql({ schema, source: query, rootValue, variableValues: variables ?? null }).then((answer) => {
        // With a length, which a caller who doesn't take chunks can read by.
        response.setHeader('content-type', 'application/json; charset=utf-8')
        response.end(JSON.stringify(answer))
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: portOf(server), headers: {}, close: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Our GraphQL layer with all of its limits, and the same field. */
export async function graphqlLayer({ url, username: user, password }: ServerConfig): Promise<ListeningServer> {
  const adapter = createAdapter({ url, user, password })
  const analyticsService = createAnalyticsService(adapter, { cache: false })
  const extend = {
    typeDefs: `extend type Query { points: [Point!]! } ${POINTS_SDL}`,
    resolvers: { Query: { points: () => POINTS } },
    permissions: { 'Query.points': null },
  }
  const app = Fastify({ keepAliveTimeout: 600_000 })
  await registerGraphql(app, { layer: createGraphqlLayer({ analyticsService, extend }) })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const close = async (): Promise<void> => {
    await app.close()
    await analyticsService.close()
    await adapter.close()
  }
  return { port: portOf(app.server), headers: {}, close }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
