import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGraphqlLayer } from '../../src/graphql/index.ts'
import { AnalyticsGraphQLService, createAnalyticsService, DashboardService, EventLogger } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

describe('EventLogger', () => {
  it('stores events in a table of their own, each id once, with an end to their life', async () => {
    const logger = new EventLogger(database.owner)
    const events = [
      { type: 'backup.created', data: { rows: 5n }, id: randomUUID() },
      { type: 'login', severity: 'warning' as const, message: 'third attempt', timestamp: new Date(Date.now() - 1000), id: randomUUID() },
    ]

    await expect(logger.logEvents(events)).resolves.toBe(2)
    await logger.logEvents(events)
    await logger.logEvents([])

    const { rows } = await database.owner.execute('SELECT type, severity, message, data FROM system_events ORDER BY type')
    expect(rows).toEqual([
      { type: 'backup.created', severity: 'info', message: '', data: '{"rows":"5"}' },
      { type: 'login', severity: 'warning', message: 'third attempt', data: '{}' },
    ])
    const { rows: made } = await database.owner.execute<{ definition: string }>("SELECT create_table_query AS definition FROM system.tables WHERE database = currentDatabase() AND name = 'system_events'")
    expect(made[0]?.definition).toContain('TTL toDateTime(timestamp) + toIntervalDay(90)')
  })

  it('refuses what is no event, and stores none of the others', async () => {
    const logger = new EventLogger(database.owner, { table: 'other_events' })

    await expect(logger.logEvents([{ type: 'good' }, { type: '' }])).rejects.toMatchObject({ issues: [{ path: [1, 'type'] }] })
    await expect(logger.logEvents([{ type: 'x', severity: 'loud' as never }])).rejects.toThrow('must be one of debug')
  })
})

describe('DashboardService', () => {
  it('shows what there is, and names what failed', async () => {
    const count = async (): Promise<unknown> => (await database.owner.execute('SELECT count() AS n FROM numbers(5)')).rows[0]
    const broken = async (): Promise<unknown> => database.owner.execute('SELECT * FROM nowhere')

    await expect(new DashboardService({ count }).getSummary()).resolves.toEqual({ status: 'success', data: { count: { n: '5' } } })
    await expect(new DashboardService({ count, broken }).getSummary()).resolves.toEqual({
      status: 'partial',
      data: { count: { n: '5' }, broken: null },
      failed: { broken: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT' },
    })
    await expect(new DashboardService({ broken }).getSummary()).resolves.toMatchObject({ status: 'error' })
  })
})

describe('AnalyticsGraphQLService', () => {
  it('answers documents, with variables', async () => {
    const analyticsService = createAnalyticsService(database.reader, { cache: false })
    const service = new AnalyticsGraphQLService(createGraphqlLayer({ analyticsService }))

    const answer = await service.executeAnalyticsQuery('query ($text: String!) { analytics(query: $text) { data } }', { text: 'SELECT 1 AS one' })

    expect(answer.data).toMatchObject({ analytics: { data: [{ one: 1 }] } })
    expect(service.getSchema()).toContain('type Query')
    await expect(service.executeAnalyticsQuery('')).rejects.toThrow('must be a GraphQL document')
    await analyticsService.close()
  })
})
