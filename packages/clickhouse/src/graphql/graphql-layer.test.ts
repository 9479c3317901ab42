import { ConfigurationError, InfrastructureError, OperationError } from '@smart-whale/interfaces'
import fc from 'fast-check'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import type { AnalyticsQuery } from '../analytics/analytics-query.ts'
import type { AnalyticsService } from '../analytics/analytics-service.ts'
import { mapServerError } from '../map-error.ts'
import { createGraphqlLayer } from './graphql-layer.ts'
import type { GraphqlLayerOptions } from './graphql-options.ts'
import { type GraphqlRouteOptions, registerGraphql } from './register-graphql.ts'

/** Answers what the test wants and remembers what it was asked; the real service is tried in the integration tests. */
function answeringService(answer: (query: AnalyticsQuery) => unknown = () => ({})) {
  const asked: AnalyticsQuery[] = []
  const result = {
    data: [{ n: 9007199254740993n, price: '12.30', at: new Date(0) }],
    columns: [{ name: 'n', type: 'UInt64' }],
    statistics: { rowsRead: 3e10, bytesRead: 1, elapsedMs: 0.5 },
    cache: { status: 'miss', ageMs: 0, ttlSeconds: 30 },
    queryId: 'q',
  }
  const service = {
    executeAnalyticsQuery: async (query: AnalyticsQuery) => {
      asked.push(query)
      return { ...result, ...(answer(query) as object) }
    },
    getCacheStats: async () => ({ hits: 1, entries: null }),
  }
  return { analyticsService: service as unknown as AnalyticsService, asked }
}

const apps: FastifyInstance[] = []
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()))
})

async function serve(layerOptions: GraphqlLayerOptions, routeOptions: Partial<GraphqlRouteOptions> = {}) {
  const app = Fastify()
  apps.push(app)
  const layer = createGraphqlLayer(layerOptions)
  await registerGraphql(app, { layer, ...routeOptions })
  const post = (payload: object) => app.inject({ method: 'POST', url: '/graphql', payload })
  return { app, layer, post }
}

const QUERY =
  'query ($sql: String!, $params: JSON) { analytics(query: $sql, params: $params) { data columns { name type } statistics { rowsRead } cache { status } } }'

describe('a GraphQL query', () => {
  it('asks the analytics service, and gets exact values', async () => {
    const { analyticsService, asked } = answeringService()
    const layer = createGraphqlLayer({ analyticsService })

    const answer = await layer.resolveQuery(QUERY, { sql: 'SELECT 1', params: { a: [1, 'x', null] } })

    expect(answer).toEqual({
      data: {
        analytics: {
          data: [{ n: '9007199254740993', price: '12.30', at: '1970-01-01T00:00:00.000Z' }],
          columns: [{ name: 'n', type: 'UInt64' }],
          statistics: { rowsRead: 3e10 },
          cache: { status: 'miss' },
        },
      },
    })
    expect(asked).toMatchObject([{ query: 'SELECT 1', params: { a: [1, 'x', null] } }])
  })

  it('may write its parameters out, large integers too', async () => {
    const { analyticsService, asked } = answeringService()
    const layer = createGraphqlLayer({ analyticsService })

    await layer.resolveQuery(
      'query ($x: JSON) { analytics(query: "q", params: { big: 9007199254740993, list: [1, -2.5, "s", true, null, { y: $x }] }) { queryId } }',
      { x: 7 },
    )

    expect(asked[0]?.params).toEqual({ big: 9007199254740993n, list: [1, -2.5, 's', true, null, { y: 7 }] })
  })

  it('is answered by mercurius as by the layer itself, compiled or not', async () => {
    const { analyticsService } = answeringService()
    const { layer, post } = await serve({ analyticsService })
    const direct = await layer.resolveQuery(QUERY, { sql: 'SELECT 1' })

    const answers = []
    for (let time = 0; time < 4; time++) answers.push((await post({ query: QUERY, variables: { sql: 'SELECT 1' } })).json())

    expect(answers).toEqual([direct, direct, direct, direct])
  })

  it('that fails says why by a code, and nothing of the inside', async () => {
    const { analyticsService } = answeringService(() => {
      throw mapServerError('Code: 62. DB::Exception: Syntax error: failed at position 1. (SYNTAX_ERROR) (version 26.7.2.1)', {
        server: 'db-7:8123',
      })
    })
    const { layer, post } = await serve({ analyticsService })
    const expected = {
      message: expect.stringContaining('Syntax error') as string,
      path: ['analytics'],
      extensions: { code: 'ERR_CLICKHOUSE_QUERY_SYNTAX', status: 400 },
    }

    const direct = await layer.resolveQuery(QUERY, { sql: 'x' })
    const served = [
      await post({ query: QUERY, variables: { sql: 'x' } }),
      await post({ query: QUERY, variables: { sql: 'x' } }),
      await post({ query: QUERY, variables: { sql: 'x' } }),
    ]

    expect(direct).toMatchObject({ data: null, errors: [expected] })
    expect(served.map((answer) => answer.statusCode)).toEqual([200, 200, 200])
    for (const answer of served) expect(answer.json()).toMatchObject({ data: null, errors: [expected] })
    expect(JSON.stringify([direct, ...served.map((answer) => answer.body)])).not.toMatch(/db-7|26\.7|node_modules|at \w+ \(/)
  })

  it('that breaks something inside hides it', async () => {
    const { analyticsService } = answeringService(() => {
      throw new TypeError('secret of the house')
    })
    const { layer, post } = await serve({ analyticsService })

    const answers = [
      await layer.resolveQuery(QUERY, { sql: 'x' }),
      (await post({ query: QUERY, variables: { sql: 'x' } })).json(),
      (await post({ query: QUERY, variables: { sql: 'x' } })).json(),
    ]

    expect(JSON.stringify(answers)).not.toContain('secret')
    expect(answers).toMatchObject(answers.map(() => ({ errors: [{ extensions: { code: 'ERR_INTERNAL', status: 500 } }] })))
  })

  it('ends the analytics query when its caller has gone', async () => {
    const { analyticsService, asked } = answeringService()
    const layer = createGraphqlLayer({ analyticsService })
    const { signal } = new AbortController()

    await layer.resolveQuery(QUERY, { sql: 'x' }, { signal, role: 'r', scope: 's' })

    expect(asked[0]?.options).toMatchObject({ signal, role: 'r', scope: 's' })
  })
})

describe('a document', () => {
  const { analyticsService } = answeringService()
  const layer = createGraphqlLayer({
    analyticsService,
    limits: { maxDepth: 3, maxAliases: 2, maxCost: 350, maxTokens: 200, maxDocumentLength: 2000 },
  })
  const codeOf = async (text: string): Promise<unknown> => (await layer.resolveQuery(text, { sql: 'x' })).errors?.[0]?.extensions.code

  it.each([
    [
      'within the limits',
      undefined,
      'query($sql:String!) { analytics(query:$sql) { cache { status } columns { name } } ...F } fragment F on Query { cacheStats { hits } }',
    ],
    ['with too many aliases', 'ERR_CLICKHOUSE_GRAPHQL_LIMIT', '{ a: cacheStats { hits } b: cacheStats { hits } c: cacheStats { hits } }'],
    [
      'with aliases in fragments that are spread again and again',
      'ERR_CLICKHOUSE_GRAPHQL_LIMIT',
      '{ cacheStats { ...F } } fragment F on CacheStats { ...G ...G } fragment G on CacheStats { a: hits b: hits }',
    ],
    [
      'that costs too much',
      'ERR_CLICKHOUSE_GRAPHQL_LIMIT',
      'query($sql:String!) { analytics(query:$sql) { ...F } x: analytics(query:$sql) { ...F } ...Q } fragment Q on Query { y: analytics(query:$sql) { queryId data queryId } cacheStats { hits misses shared } z: __typename } fragment F on AnalyticsResult { data }',
    ],
    ['with two operations', 'ERR_CLICKHOUSE_GRAPHQL_LIMIT', 'query A { cacheStats { hits } } query B { cacheStats { hits } }'],
    ['that is too long', 'ERR_CLICKHOUSE_GRAPHQL_LIMIT', `{ cacheStats { hits } } #${'x'.repeat(2000)}`],
    ['with too many words', 'ERR_CLICKHOUSE_GRAPHQL_INVALID', `{ cacheStats { ${'hits '.repeat(250)} } }`],
    ['that is no GraphQL', 'ERR_CLICKHOUSE_GRAPHQL_INVALID', 'SELECT 1'],
    [
      'with fragments in a circle',
      'ERR_CLICKHOUSE_GRAPHQL_INVALID',
      '{ cacheStats { ...F } } fragment F on CacheStats { ...G } fragment G on CacheStats { ...F }',
    ],
    ['with an unknown field', 'ERR_CLICKHOUSE_GRAPHQL_INVALID', '{ nothing }'],
  ])('%s is answered with %s', async (_what, code, text) => {
    expect(await codeOf(text)).toBe(code)
  })

  it('nested deeper than allowed is refused', async () => {
    const shallow = createGraphqlLayer({ analyticsService, limits: { maxDepth: 2 } })

    const answer = await shallow.resolveQuery('{ analytics(query: "x") { cache { status } } }')

    expect(answer.errors?.[0]).toMatchObject({
      message: expect.stringContaining('nested 3 levels') as string,
      extensions: { code: 'ERR_CLICKHOUSE_GRAPHQL_LIMIT', status: 400 },
    })
  })

  it('may be the one that clients read the schema with', async () => {
    const { getIntrospectionQuery } = await import('graphql')

    expect((await createGraphqlLayer({ analyticsService }).resolveQuery(getIntrospectionQuery())).errors).toBeUndefined()
  })

  it('of any kind is answered and never breaks anything', async () => {
    const pieces = [
      '{',
      '}',
      '(',
      ')',
      'query',
      'fragment F on Query',
      '...F',
      'analytics',
      'cacheStats',
      'hits',
      '"a"',
      ':',
      '$x',
      '!',
      '@skip(if: true)',
      '1e999',
      '[',
      ']',
      '\u0000',
      'a'.repeat(100),
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.array(fc.constantFrom(...pieces)).map((list) => list.join(' ')),
        ),
        async (text) => {
          const { errors = [] } = await layer.resolveQuery(text)
          for (const { extensions } of errors) expect(extensions.status).toBeLessThan(500)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('the schema', () => {
  it('can be read as SDL', () => {
    expect(createGraphqlLayer(answeringService()).getSchema()).toContain(
      'analytics(query: String, params: JSON, options: AnalyticsOptions): AnalyticsResult!',
    )
  })

  const extend = {
    typeDefs: 'extend type Query { latest(table: String!): Point open: Int } type Point { value: JSON! }',
    resolvers: {
      Query: {
        latest: (_source: unknown, { table }: Record<string, unknown>) => ({ value: table === 'flights' ? 5n : 0n }),
        open: () => 1,
      },
    },
    permissions: { 'Query.latest': 'timeseries:read', 'Query.open': null },
  }

  it('takes fields of an application, behind permissions of their own', async () => {
    const asked: string[] = []
    const layer = createGraphqlLayer({
      ...answeringService(),
      extend,
      authorize: (permission) => {
        asked.push(permission)
        if (permission === 'analytics:query') throw new OperationError('not yours', { code: 'ERR_ACCESS_DENIED', status: 403 })
      },
    })

    const answer = await layer.resolveQuery('{ latest(table: "flights") { value } open cacheStats { hits } }')
    const denied = await layer.resolveQuery('{ analytics(query: "x") { queryId } }')

    expect(answer.data).toMatchObject({ latest: { value: '5' }, open: 1 })
    expect(denied).toMatchObject({ data: null, errors: [{ message: 'not yours', extensions: { code: 'ERR_ACCESS_DENIED', status: 403 } }] })
    expect(asked).toEqual(['timeseries:read', 'analytics:cache:read', 'analytics:query'])
  })

  it.each([
    ['a root field without a permission', { ...extend, permissions: { 'Query.open': null } }, 'Query.latest'],
    ['SDL that is none', { typeDefs: 'extend type {' }, 'typeDefs'],
    ['a type that is missing', { typeDefs: 'extend type Query { a: Missing }', permissions: { 'Query.a': null } }, 'Missing'],
    ['a resolver for nothing', { resolvers: { Query: { nothing: () => 1 } } }, 'Query.nothing'],
  ])('refuses an extension with %s', (_what, wrong, named) => {
    const make = () => createGraphqlLayer({ ...answeringService(), extend: wrong })

    expect(make).toThrow(named)
    expect(make).toThrow(expect.toSatisfy((error) => ConfigurationError.isInstance(error)) as Error)
  })
})

describe('the GraphQL route', () => {
  const hits = '{ cacheStats { hits } }'

  it('is behind its guard', async () => {
    const asked: string[] = []
    const guard = (permission: string) => {
      asked.push(permission)
      return async () => {
        throw new InfrastructureError('who are you?', { status: 401, code: 'ERR_TOKEN_MISSING' })
      }
    }
    const { post } = await serve(answeringService(), { guard, permission: 'analytics:query' })

    const answer = await post({ query: hits })

    expect(asked).toEqual(['analytics:query', 'analytics:query'].slice(0, asked.length))
    expect(answer.statusCode).toBe(401)
    expect(answer.json()).toMatchObject({ errors: [{ message: 'who are you?', extensions: { code: 'ERR_TOKEN_MISSING' } }] })
  })

  it('does not run a syntax tree that is sent in place of a query', async () => {
    const { parse } = await import('graphql')
    const { post } = await serve(answeringService())

    for (const query of [JSON.stringify(parse(hits)), 'null', 'true', '1', '{}', '[]', '"x"']) {
      const answer = await post({ query })
      expect(answer.statusCode).toBe(400)
      expect(answer.json()).toMatchObject({ errors: [{ extensions: { code: 'ERR_CLICKHOUSE_GRAPHQL_INVALID' } }] })
    }
  })

  it('offers neither GraphiQL nor changes by GET', async () => {
    const { app } = await serve(answeringService())

    expect((await app.inject('/graphiql')).statusCode).toBe(404)
    expect((await app.inject(`/graphql?query=${encodeURIComponent(hits)}`)).statusCode).toBe(200)
  })

  it('answers whatever is sent with something below 500', async () => {
    const { app } = await serve(answeringService())
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .record(
          { query: fc.anything(), variables: fc.anything(), operationName: fc.anything(), extensions: fc.anything() },
          { requiredKeys: [] },
        )
        .map((value) => JSON.stringify(value) ?? ''),
      fc
        .record({ query: fc.constantFrom(hits, QUERY), variables: fc.anything(), operationName: fc.string() }, { requiredKeys: ['query'] })
        .map((value) => JSON.stringify(value)),
    )
    await fc.assert(
      fc.asyncProperty(body, fc.constantFrom('application/json', 'application/graphql', 'text/plain', ''), async (payload, type) => {
        const answer = await app.inject({ method: 'POST', url: '/graphql', payload, headers: type === '' ? {} : { 'content-type': type } })
        expect(answer.statusCode).toBeLessThan(500)
      }),
      { numRuns: 300 },
    )
    await fc.assert(
      fc.asyncProperty(fc.webQueryParameters(), fc.string(), async (parameters, query) => {
        const answer = await app.inject(`/graphql?${parameters}&query=${encodeURIComponent(query)}`)
        expect(answer.statusCode).toBeLessThan(500)
      }),
      { numRuns: 100 },
    )
  })
})
