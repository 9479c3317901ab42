import { createClient } from '@clickhouse/client'
import { createAdapter, createAnalyticsService } from '@smart-whale/clickhouse'
import { Pool } from 'undici'
import { freshClickHouseDatabase } from '../fresh-databases.ts'
import { CLICKHOUSE_FLIGHT_COLUMNS, flightRows } from '../flight-rows.ts'
import type { BenchEngines, Contender, HotPath, OpenHotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const SERVICE = 'executeAnalyticsQuery, cache off'
const ADAPTER = 'adapter.execute'
const CLIENT = '@clickhouse/client'
const UNDICI = 'undici and JSON.parse'

const ROWS = 10_000
const QUERY = 'SELECT delay, origin FROM flights WHERE id = {id:Int64}'

/** A question whose answer is one row: what the client adds shows, because the server is quick. */
export const oneRowQuery: HotPath = {
  name: 'one-row-query',
  title: 'ClickHouse one-row query, one at a time',
  operation: 'query',
  measure: 'wall',
  baseline: CLIENT,
  goals: [
    { contender: SERVICE, against: CLIENT, speedAtLeast: 4 },
    { contender: SERVICE, against: UNDICI, timeAtMost: 1.15 },
  ],
  open,
}

interface Answer {
  readonly delay: number
  readonly origin: string
}

async function open(engines: BenchEngines): Promise<OpenHotPath> {
  const { url, username, password } = engines.clickhouse
  const database = await freshClickHouseDatabase(engines.clickhouse)
  const adapter = createAdapter({ url, database: database.name, user: username, password })
  const service = createAnalyticsService(adapter, { cache: false })
  const client = createClient({ url, database: database.name, username, password })
  const pool = new Pool(url, { connections: 1 })
  const rows = flightRows(ROWS)
  await adapter.execute(`CREATE TABLE flights (${CLICKHOUSE_FLIGHT_COLUMNS}) ENGINE = MergeTree ORDER BY id`)
  await adapter.insert('flights', rows)

  const headers = { 'x-clickhouse-user': username, 'x-clickhouse-key': password, 'x-clickhouse-database': database.name }
  const asks: Record<string, (id: number) => Promise<Answer | undefined>> = {
    [CLIENT]: async (id) => (await (await client.query({ query: QUERY, query_params: { id }, format: 'JSONEachRow' })).json<Answer>())[0],
    [UNDICI]: async (id) => {
      const answer = await pool.request({ method: 'POST', path: `/?param_id=${id}&default_format=JSONEachRow`, headers, body: QUERY })
      return JSON.parse(await answer.body.text()) as Answer
    },
    [ADAPTER]: async (id) => (await adapter.execute<Answer & Record<string, unknown>>(QUERY, { id })).rows[0],
    [SERVICE]: async (id) => (await service.executeAnalyticsQuery<Answer & Record<string, unknown>>({ query: QUERY, params: { id }, options: { cache: false } })).data[0],
  }
  const contender = (name: string, ask: (id: number) => Promise<Answer | undefined>): Contender => ({
    name,
    operationsPerRepeat: 1,
    run: async (repeats) => {
      for (let repeat = 0; repeat < repeats; repeat++) await ask((repeat * 7919) % ROWS)
    },
    verify: async () => {
      const expected = rows[1234]
      requireEqual(name, await ask(1234), { delay: expected?.delay, origin: expected?.origin })
    },
  })
  return {
    contenders: Object.entries(asks).map(([name, ask]) => contender(name, ask)),
    serverPid: null,
    close: async () => {
      await service.close()
      await Promise.all([adapter.close(), client.close(), pool.close()])
      await database.drop()
    },
  }
}
