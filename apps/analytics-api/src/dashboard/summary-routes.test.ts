import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import Fastify from 'fastify'
import { expect, it } from 'vitest'
import { summaryRoutes, type SummaryRoutesOptions } from './summary-routes.ts'

const parts: SummaryRoutesOptions = {
  countRows: async () => [{ name: 'rides', clickhouse: '12', timescaledb: null }],
  cacheStats: async () => ({ hits: 3, misses: 1 }),
  health: async () => ({ status: 'ok', checks: [] }),
  ingest: null,
  clock: new FakeClock({ startMs: 5 }),
}

async function ask(options: SummaryRoutesOptions): Promise<unknown> {
  const fastify = Fastify()
  await fastify.register(summaryRoutes, options)
  const response = await fastify.inject('/dashboard/summary')
  return response.json()
}

it('shows everything at a glance', async () => {
  await expect(ask(parts)).resolves.toEqual({
    status: 'success',
    data: { at: 5, tables: [{ name: 'rides', clickhouse: '12', timescaledb: null }], cache: { hits: 3, misses: 1 }, health: { status: 'ok', checks: [] }, ingest: null },
  })
})

it('shows the rest while an ingestor is away, and names what is missing', async () => {
  const away = async (): Promise<never> => {
    throw new ConnectionError('the ingestor did not answer')
  }

  await expect(ask({ ...parts, ingest: away })).resolves.toMatchObject({ status: 'partial', data: { cache: { hits: 3 }, ingest: null }, failed: { ingest: 'ERR_CONNECTION' } })
})
