import type { FastifyInstance, RouteOptions } from 'fastify'

/** What a route says of itself; as fastify takes it, and as the routes of this package give it. */
interface RouteSchema {
  readonly tags?: readonly string[]
  readonly summary?: string
  readonly description?: string
  readonly params?: Parameters
  readonly querystring?: Parameters
  readonly body?: object
  readonly response?: Readonly<Record<string, { readonly description?: string; readonly content?: object }>>
}

interface Parameters {
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>
}

type Operations = Record<string, Record<string, object>>

/**
 * Writes down the routes that are registered from here on, as OpenAPI 3.1 has them: its schemas are JSON Schema, which is what the routes have.
 * @returns the document of what there is so far
 */
export function openapiOfRoutes(fastify: FastifyInstance, title: string): () => object {
  const paths: Operations = {}
  fastify.addHook('onRoute', (route) => {
    const path = route.url.replace(/:(\w+)/g, '{$1}')
    for (const method of [route.method].flat()) {
      if (method !== 'HEAD') (paths[path] ??= {})[method.toLowerCase()] = operationOf(route)
    }
  })
  return () => ({ openapi: '3.1.0', info: { title, version: '1' }, paths })
}

function operationOf({ schema = {} }: RouteOptions): object {
  const { tags, summary, description, params, querystring, body, response = {} } = schema as RouteSchema
  const parameters = [...parametersOf('path', params), ...parametersOf('query', querystring)]
  return {
    ...(tags && { tags }),
    ...(summary !== undefined && { summary }),
    ...(description !== undefined && { description }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: Object.fromEntries(Object.entries(response).map(([status, answer]) => [status, responseOf(answer)])),
  }
}

function parametersOf(place: 'path' | 'query', { properties = {}, required = [] }: Parameters = {}): object[] {
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({ name, in: place, required: place === 'path' || required.includes(name), ...(description !== undefined && { description }), schema }))
}

function responseOf({ description = '', content, ...schema }: { readonly description?: string; readonly content?: object }): object {
  return { description, content: content ?? { 'application/json': { schema } } }
}
