import { createL1Cache } from '@smart-whale/core-cache'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { createAdapter, createAnalyticsService, createMigrationManager, createStreamProcessor, setupClickHouse } from '../src/index.ts'
import { createGraphqlLayer } from '../src/graphql/index.ts'
import { type OwnDatabase, ownDatabase } from './own-database.ts'

let database: OwnDatabase
beforeAll(async () => {
  database = await ownDatabase()
})
afterAll(() => database.drop())

function connection() {
  const { url, reader } = inject('clickhouse')
  return { url, user: reader.username, password: reader.password, database: database.name }
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('the factories without arguments', () => {
  it('take the server from the environment, and close what they opened', async () => {
    const { url, owner } = inject('clickhouse')
    for (const [name, value] of Object.entries({ URL: url, USER: owner.username, PASSWORD: owner.password, DATABASE: database.name }))
      vi.stubEnv(`CLICKHOUSE_${name}`, value)
    await database.owner.execute('CREATE TABLE by_default (x UInt8) ENGINE = MergeTree ORDER BY x')
    const layer = createGraphqlLayer()
    const [service, stream, migrations, parts] = [
      createAnalyticsService(),
      createStreamProcessor(),
      createMigrationManager(),
      await setupClickHouse(),
    ]

    const receipt = await stream.processStreamData('by_default', [{ x: 7 }])
    const answers = [
      await service.executeAnalyticsQuery({ query: 'SELECT x FROM by_default' }),
      await parts.analyticsService.executeAnalyticsQuery({ query: 'SELECT x FROM by_default' }),
    ]
    const graphql = await layer.resolveQuery('{ analytics(query: "SELECT x FROM by_default") { data } }')
    await migrations.initialize()
    await Promise.all([layer.close(), service.close(), stream.stop(), migrations.close(), parts.close()])

    expect(receipt.accepted).toBe(1)
    expect(answers.map(({ data }) => data)).toEqual([[{ x: 7 }], [{ x: 7 }]])
    expect(graphql).toEqual({ data: { analytics: { data: [{ x: 7 }] } } })
    expect((await layer.resolveQuery('{ analytics(query: "SELECT 1") { data } }')).errors).toHaveLength(1)
    await expect(migrations.initialize()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CLOSED' })
  })
})

describe('the ClickHouse setup', () => {
  it('puts the parts together, by name and in order', async () => {
    await using parts = await setupClickHouse({ connection: connection() })
    const [adapter, analyticsService, graphqlLayer] = parts

    const answer = await parts.analyticsService.executeAnalyticsQuery({ query: 'SELECT 1 AS one' })
    const graphql = await parts.graphqlLayer.resolveQuery('{ analytics(query: "SELECT 2 AS two") { data } cacheStats { misses } }')

    expect([adapter, analyticsService, graphqlLayer]).toEqual([parts.adapter, parts.analyticsService, parts.graphqlLayer])
    expect(answer.data).toEqual([{ one: 1 }])
    expect(graphql.data).toMatchObject({ analytics: { data: [{ two: 2 }] } })
  })

  it('closes what it made', async () => {
    const parts = await setupClickHouse({ connection: connection() })

    await parts.close()
    await parts.close()

    await expect(parts.adapter.execute('SELECT 1')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CLOSED' })
    await expect(parts.analyticsService.executeAnalyticsQuery({ query: 'SELECT 1' })).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_CLOSED',
    })
  })

  it('takes parts that are ready-made, and leaves them open', async () => {
    const adapter = createAdapter(connection())
    const analyticsService = createAnalyticsService(adapter, { cache: createL1Cache() })
    const parts = await setupClickHouse({ adapter, analyticsService })

    await parts.close()

    expect([parts.adapter, parts.analyticsService]).toEqual([adapter, analyticsService])
    expect((await analyticsService.executeAnalyticsQuery({ query: 'SELECT 3 AS three' })).data).toEqual([{ three: 3 }])
    await analyticsService.close()
    await adapter.close()
  })

  it('fails when nobody answers, and leaves nothing open', async () => {
    await expect(setupClickHouse({ connection: { url: 'http://127.0.0.1:1', retry: { maxAttempts: 1 } } })).rejects.toMatchObject({
      status: 503,
    })
  })
})
