import { createClient } from '@clickhouse/client'
import { createAdapter, createAnalyticsService } from '@smart-whale/clickhouse'
import type { Row } from '@smart-whale/interfaces'
import { Pool } from 'undici'
import { freshClickHouseDatabase } from '../fresh-databases.ts'
import { CLICKHOUSE_FLIGHT_COLUMNS, type FlightRow, flightRows } from '../flight-rows.ts'
import type { BenchEngines, Contender, HotPath, OpenHotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const SERVICE = 'executeAnalyticsQuery, cache off'
const ADAPTER = 'adapter.execute'
const CLIENT = '@clickhouse/client'
const UNDICI = 'undici and JSON.parse'

const FLIGHTS = flightRows(10_000)

interface OneRowQuery {
  readonly name: string
  readonly what: string
  readonly query: string
  /** The row that the query has to answer for an id. */
  readonly answerFor: (id: number) => Answer
  readonly goals: HotPath['goals']
}

function askOneRow({ name, what, query, answerFor, goals }: OneRowQuery): HotPath {
  return {
    name,
    title: `ClickHouse one-row query, one at a time: ${what}`,
    operation: 'query',
    measure: 'wall',
    baseline: CLIENT,
    goals,
    open: (engines) => open(engines, query, answerFor),
  }
}

type Answer = Pick<FlightRow, 'delay' | 'origin'>

async function open(engines: BenchEngines, query: string, answerFor: (id: number) => Answer): Promise<OpenHotPath> {
  const { url, username, password } = engines.clickhouse
  const database = await freshClickHouseDatabase(engines.clickhouse)
  const adapter = createAdapter({ url, database: database.name, user: username, password })
  const service = createAnalyticsService(adapter, { cache: false })
  const client = createClient({ url, database: database.name, username, password })
  const pool = new Pool(url, { connections: 1 })
  await adapter.execute(`CREATE TABLE flights (${CLICKHOUSE_FLIGHT_COLUMNS}) ENGINE = MergeTree ORDER BY id`)
  await adapter.insert('flights', FLIGHTS)

  const headers = { 'x-clickhouse-user': username, 'x-clickhouse-key': password, 'x-clickhouse-database': database.name }
  const asks: Record<string, (id: number) => Promise<Answer | undefined>> = {
    [CLIENT]: async (id) => (await (await client.query({ query, query_params: { id }, format: 'JSONEachRow' })).json<Answer>())[0],
    [UNDICI]: async (id) => {
      const answer = await pool.request({ method: 'POST', path: `/?param_id=${id}&default_format=JSONEachRow`, headers, body: query })
      return JSON.parse(await answer.body.text()) as Answer
    },
    [ADAPTER]: async (id) => (await adapter.execute<Answer & Row>(query, { id })).rows[0],
    [SERVICE]: async (id) => (await service.executeAnalyticsQuery<Answer & Record<string, unknown>>({ query, params: { id }, options: { cache: false } })).data[0],
  }
  const contender = (name: string, ask: (id: number) => Promise<Answer | undefined>): Contender => ({
    name,
    operationsPerRepeat: 1,
    run: async (repeats) => {
      for (let repeat = 0; repeat < repeats; repeat++) await ask((repeat * 7919) % FLIGHTS.length)
    },
    verify: async () => requireEqual(name, await ask(1234), answerFor(1234)),
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

/** What the client adds to a question shows best where the server has next to nothing to do. */
export const oneRowWithoutTable = askOneRow({
  name: 'one-row-query',
  what: 'a computed row',
  query: "SELECT toInt32({id:Int64} % 100) AS delay, 'OSL' AS origin",
  answerFor: (id) => ({ delay: id % 100, origin: 'OSL' }),
  goals: [
    { contender: SERVICE, against: CLIENT, speedAtLeast: 4 },
    { contender: SERVICE, against: UNDICI, timeAtMost: 1.15 },
  ],
})

/** The usual question of this kind. */
export const oneRowByKey = askOneRow({
  name: 'one-row-query-by-key',
  what: 'a row by its key',
  query: 'SELECT delay, origin FROM flights WHERE id = {id:Int64}',
  answerFor: (id) => ({ delay: FLIGHTS[id]?.delay ?? 0, origin: FLIGHTS[id]?.origin ?? '' }),
  goals: [{ contender: SERVICE, against: UNDICI, timeAtMost: 1.15 }],
})
