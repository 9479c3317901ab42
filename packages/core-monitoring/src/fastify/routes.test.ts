import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import type { HealthProbe } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { createHealth, createPrometheusMetrics } from '../index.ts'
import type { Guard } from './guard.ts'
import { healthRoutes, httpMetrics, metricsRoutes } from './index.ts'

const open: FastifyInstance[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()))
})
function createApp(): FastifyInstance {
  const app = Fastify()
  open.push(app)
  return app
}

/** Lets `Bearer <permission>` through, as a guard would whose tokens are what they allow. */
function createGuard(): { guard: Guard; asked: string[] } {
  const asked: string[] = []
  const guard: Guard = (permission) => {
    asked.push(permission)
    return async (request, reply) => {
      if (request.headers.authorization === `Bearer ${permission}`) return
      return reply.code(request.headers.authorization === undefined ? 401 : 403).type('application/problem+json').send('{"code":"ERR_REFUSED"}')
    }
  }
  return { guard, asked }
}

function healthApp(status: 'up' | 'degraded' | 'down', guard?: Guard) {
  const data = { replicas: 2, lag: 9_007_199_254_740_993n }
  const database: HealthProbe = { name: 'database', check: async () => ({ status, detail: 'seen', data }) }
  const health = createHealth({ probes: [database], clock: new FakeClock() })
  const app = createApp()
  app.register(healthRoutes, { health, ...(guard === undefined ? {} : { guard }) })
  return { app, health }
}

describe('GET /health', () => {
  it.each([
    ['up', 200],
    ['degraded', 200],
    ['down', 503],
  ] as const)('tells that the service is %s, with each dependency, by %i', async (status, code) => {
    const { app } = healthApp(status)

    const answer = await app.inject('/health')

    expect(answer.statusCode).toBe(code)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.json()).toEqual({
      status,
      ready: status !== 'down',
      phase: 'running',
      uptimeSeconds: 0,
      dependencies: [
        {
          name: 'database',
          critical: true,
          status,
          detail: 'seen',
          data: { replicas: 2, lag: '9007199254740993' },
          durationMs: 0,
          checkedAt: '2026-01-01T00:00:00.000Z',
        },
      ],
    })
  })

  it('tells the overall status alone to who shows no token, all to who may read it, nothing to who may not', async () => {
    const { guard, asked } = createGuard()
    const { app } = healthApp('degraded', guard)

    const anonymous = await app.inject('/health')
    const allowed = await app.inject({ url: '/health', headers: { authorization: 'Bearer health:read' } })
    const denied = await app.inject({ url: '/health', headers: { authorization: 'Bearer other' } })

    expect(anonymous.json()).toEqual({ status: 'degraded' })
    expect(allowed.json()).toMatchObject({ status: 'degraded', dependencies: [{ name: 'database' }] })
    expect(denied.statusCode).toBe(403)
    expect(denied.body).not.toContain('degraded')
    expect(asked).toEqual(['health:read'])
  })
})

describe('GET /health/live and /health/ready', () => {
  it('are open under a guard and answer the orchestrator and the balancer', async () => {
    const { app, health } = healthApp('up', createGuard().guard)

    const before = await Promise.all(['/health/live', '/health/ready'].map((url) => app.inject(url)))
    health.markStopping()
    const after = await Promise.all(['/health/live', '/health/ready'].map((url) => app.inject(url)))

    expect(before.map(({ statusCode }) => statusCode)).toEqual([200, 200])
    expect(after.map(({ statusCode }) => statusCode)).toEqual([200, 503])
    expect(before[0]?.json()).toEqual({ status: 'up', uptimeSeconds: 0 })
    expect(before[1]?.json()).toEqual({ ready: true, phase: 'running', status: 'up' })
    expect(after[1]?.json()).toMatchObject({ ready: false, phase: 'stopping' })
  })
})

describe('GET /metrics', () => {
  it('answers in Prometheus’ text format', async () => {
    const metrics = createPrometheusMetrics({ defaultMetrics: false })
    metrics.counter({ name: 'rows_total', help: 'Rows' }).inc({}, 3)
    const app = createApp()
    app.register(metricsRoutes, { metrics })

    const answer = await app.inject('/metrics')

    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(answer.body).toContain('rows_total 3\n')
  })

  it('asks for metrics:read', async () => {
    const { guard, asked } = createGuard()
    const app = createApp()
    app.register(metricsRoutes, { metrics: createPrometheusMetrics({ defaultMetrics: false }), guard })

    const codes = await Promise.all([{}, { authorization: 'Bearer metrics:read' }].map(async (headers) => (await app.inject({ url: '/metrics', headers })).statusCode))

    expect(codes).toEqual([401, 200])
    expect(asked).toEqual(['metrics:read'])
  })

  it('answers a failure with a problem that gives nothing away', async () => {
    const app = createApp()
    app.register(metricsRoutes, { metrics: { render: () => Promise.reject(new TypeError('secret path')) } })

    const answer = await app.inject('/metrics')

    expect(answer.statusCode).toBe(500)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.body).not.toContain('secret path')
  })
})

describe('HTTP metrics', () => {
  function setup() {
    const metrics = createPrometheusMetrics({ defaultMetrics: false })
    const app = createApp()
    httpMetrics(app, { metrics, bucketsSeconds: [1] })
    app.get('/tables/:name', async () => ({}))
    app.get('/fails', () => Promise.reject(new TypeError('x')))
    app.get('/slow', () => new Promise(() => {}))
    const counts = async (): Promise<string[]> => {
      const { body } = await metrics.render()
      return body.split('\n').filter((line) => line.startsWith('smart_whale_http_request_duration_seconds_count'))
    }
    const inFlight = async (): Promise<string | undefined> => /^smart_whale_http_requests_in_flight (\d+)$/m.exec((await metrics.render()).body)?.[1]
    return { app, counts, inFlight, render: async () => (await metrics.render()).body }
  }
  const series = (method: string, route: string, status: number, count: number) =>
    `smart_whale_http_request_duration_seconds_count{method="${method}",route="${route}",status="${status}"} ${count}`

  it('count requests by method, pattern and status, never by address', async () => {
    const { app, counts, inFlight } = setup()

    for (const url of ['/tables/a', '/tables/b?x=secret', '/fails', '/nowhere/at/all', '/nowhere/else']) await app.inject(url)
    await app.inject({ url: '/tables/a', method: 'PURGE' as 'GET' })

    expect((await counts()).sort()).toEqual(
      [series('GET', '/tables/:name', 200, 2), series('GET', '/fails', 500, 1), series('GET', 'unmatched', 404, 2), series('other', 'unmatched', 404, 1)].sort(),
    )
    expect(await inFlight()).toBe('0')
  })

  it('see requests under way, and callers who went away', async () => {
    const { app, counts, inFlight } = setup()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const caller = httpRequest({ host: '127.0.0.1', port, path: '/slow' })
    caller.on('error', () => {})
    caller.end()
    await expect.poll(inFlight).toBe('1')

    caller.destroy()

    await expect.poll(inFlight).toBe('0')
    expect(await counts()).toEqual([series('GET', '/slow', 499, 1)])
  })

  it('have streams of events apart: one that was watched for long is no slow request, and one that is refused is none', async () => {
    const { app, counts, inFlight, render } = setup()
    app.get('/live', (request, reply) =>
      request.headers.authorization === undefined ? reply.code(401).send({}) : reply.header('content-type', 'text/event-stream; charset=utf-8').send(Readable.from(endlessly())),
    )
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const watcher = httpRequest({ host: '127.0.0.1', port, path: '/live', headers: { authorization: 'me' } })
    watcher.on('error', () => {})
    watcher.end()
    const [answer] = (await once(watcher, 'response')) as [IncomingMessage]
    await once(answer, 'data')
    expect(await inFlight()).toBe('1')

    watcher.destroy()
    await app.inject('/live')

    await expect.poll(inFlight).toBe('0')
    expect(await counts()).toEqual([series('GET', '/live', 401, 1)])
    expect(await render()).toContain('smart_whale_http_stream_duration_seconds_count{method="GET",route="/live"} 1')
  })
})

async function* endlessly(): AsyncIterable<string> {
  for (;;) {
    yield 'data: 1\n\n'
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
