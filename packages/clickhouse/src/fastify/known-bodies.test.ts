import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import type { AnalyticsQuery, AnalyticsResult } from '../analytics/analytics-query.ts'
import type { AnalyticsService } from '../analytics/analytics-service.ts'
import { analyticsRoutes } from './analytics-routes.ts'

/** A service that tells who asked it what, and says of each answer how often it was prepared for. */
function setup() {
  const prepared: AnalyticsQuery[] = []
  const analyticsService = {
    prepareQuery: (query: AnalyticsQuery) => {
      prepared.push(query)
      const number = prepared.length
      return { answer: (): Partial<AnalyticsResult> => ({ data: [{ asked: query.query, tenant: query.options?.tenant ?? null, number }], columns: [], statistics: null, cache: { status: 'hit', ageMs: 0, ttlSeconds: 1 }, queryId: 'q' }) }
    },
  } as unknown as AnalyticsService
  const seen: unknown[] = []
  const app = Fastify()
  app.addHook('preHandler', async (request) => void seen.push(request.body))
  const readerOf = ({ headers }: { headers: Record<string, unknown> }) => (headers['x-tenant'] === undefined ? {} : { tenant: String(headers['x-tenant']) })
  const ready = app.register(analyticsRoutes, { analyticsService, readerOf })
  const ask = async (payload: string, tenant?: string) => {
    await ready
    const headers = { 'content-type': 'application/json', ...(tenant === undefined ? {} : { 'x-tenant': tenant }) }
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/analytics', headers, payload })
    const answer = JSON.parse(body) as { data?: unknown[]; code?: string }
    return { statusCode, row: answer.data?.[0], code: answer.code }
  }
  return { app, ask, prepared, seen }
}

describe('a body that comes again', () => {
  it('is read and checked once, and never given to another reader', async () => {
    const { ask, prepared, seen } = setup()
    const body = JSON.stringify({ query: 'SELECT 1' })

    const rows = [await ask(body, 'acme'), await ask(body, 'globex'), await ask(body), await ask(body, 'acme'), await ask(body, 'globex'), await ask(`${body} `, 'acme')].map(({ row }) => row)

    expect(rows).toEqual([
      { asked: 'SELECT 1', tenant: 'acme', number: 1 },
      { asked: 'SELECT 1', tenant: 'globex', number: 2 },
      { asked: 'SELECT 1', tenant: null, number: 3 },
      { asked: 'SELECT 1', tenant: 'acme', number: 1 },
      { asked: 'SELECT 1', tenant: 'globex', number: 2 },
      { asked: 'SELECT 1', tenant: 'acme', number: 4 },
    ])
    expect(prepared).toHaveLength(4)
    expect(seen[4]).toBe(seen[0])
    expect(() => Object.assign(seen[0] as object, { query: 'SELECT 2' })).toThrow(TypeError)
  })

  it.each(['{"query":', '{"query":"SELECT 1","__proto__":{"x":1}}', '{"query":7}', '{"query":"SELECT 1","options":{"ttlSeconds":0}}', '[]', 'null', '', '{"query":"SELECT {x:UInt64}","params":{"x":9007199254740993}}'])(
    'is refused again when it was wrong: %s',
    async (body) => {
      const { ask, prepared } = setup()

      const [first, second] = [await ask(body), await ask(body)]

      expect(first).toMatchObject({ statusCode: 400, row: undefined })
      expect(second).toEqual(first)
      expect(prepared).toEqual([])
    },
  )

  it('is read by the host’s own parser, if it has one', async () => {
    const { app, ask } = setup()
    app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => done(null, { query: `parsed ${String(text)}` }))

    expect(await ask('1')).toMatchObject({ statusCode: 200, row: { asked: 'parsed 1' } })
  })
})
