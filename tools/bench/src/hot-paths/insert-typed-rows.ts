import { createClient } from '@clickhouse/client'
import { createAdapter } from '@smart-whale/clickhouse'
import type { Row } from '@smart-whale/interfaces'
import { CLICKHOUSE_EVENT_COLUMNS, eventRows } from '../event-rows.ts'
import { CLICKHOUSE_FLIGHT_COLUMNS, flightRows } from '../flight-rows.ts'
import type { BenchEngines, Contender, HotPath, OpenHotPath } from '../hot-path.ts'
import { freshClickHouseDatabase } from '../fresh-databases.ts'
import { requireEqual } from '../require-equal.ts'

const OURS = 'adapter.insert'
const PEER = '@clickhouse/client JSONEachRow'
const BATCH_ROWS = 10_000

interface TypedRows {
  readonly name: string
  readonly what: string
  readonly columns: string
  /** Made when the hot path is opened: what others measure shares this process's memory. */
  readonly rows: () => readonly Row[]
  /** Columns that show together that every row arrived whole. */
  readonly fingerprint: string
}

function insertTypedRows({ name, what, columns, rows, fingerprint }: TypedRows): HotPath {
  return {
    name,
    title: `ClickHouse insert of typed rows: ${what}, ${BATCH_ROWS} a batch`,
    operation: 'row',
    measure: 'client CPU',
    baseline: PEER,
    goals: [{ contender: OURS, against: PEER, speedAtLeast: 3 }],
    open: (engines) => open(engines, columns, rows(), fingerprint),
  }
}

async function open(engines: BenchEngines, columns: string, rows: readonly Row[], fingerprint: string): Promise<OpenHotPath> {
  const { url, username, password } = engines.clickhouse
  const database = await freshClickHouseDatabase(engines.clickhouse)
  const adapter = createAdapter({ url, database: database.name, user: username, password })
  const client = createClient({ url, database: database.name, username, password })
  for (const table of ['ours', 'theirs', 'reference']) await adapter.execute(`CREATE TABLE ${table} (${columns}) ENGINE = MergeTree ORDER BY time`)
  // The peer's own way of writing; the reference decides whether both wrote the same.
  const insertTheirs = (table: string) => client.insert({ table, values: rows, format: 'JSONEachRow', clickhouse_settings: { date_time_input_format: 'best_effort', async_insert: 0 } })
  await insertTheirs('reference')
  const contender = (contenderName: string, table: string, insert: () => Promise<unknown>): Contender => ({
    name: contenderName,
    operationsPerRepeat: rows.length,
    prepare: async () => void (await adapter.execute(`TRUNCATE TABLE ${table}`)),
    run: async (repeats) => {
      for (let repeat = 0; repeat < repeats; repeat++) await insert()
    },
    verify: async () => {
      const contents = async (stored: string): Promise<unknown> => (await adapter.execute(`SELECT count() AS rows, ${fingerprint} AS content FROM ${stored}`)).rows[0]
      requireEqual(contenderName, await contents(table), await contents('reference'))
    },
  })
  return {
    contenders: [contender(PEER, 'theirs', () => insertTheirs('theirs')), contender(OURS, 'ours', () => adapter.insert('ours', rows))],
    serverPid: null,
    close: async () => {
      await Promise.all([adapter.close(), client.close()])
      await database.drop()
    },
  }
}

/** Rows as the ingest path writes them: ten columns, most of them numbers. */
export const insertFlights = insertTypedRows({
  name: 'clickhouse-insert-flights',
  what: 'flights',
  columns: CLICKHOUSE_FLIGHT_COLUMNS,
  rows: () => flightRows(BATCH_ROWS),
  fingerprint: 'sum(cityHash64(id, time, delay, distance, origin, destination, event_id, source_topic, source_partition, source_offset))',
})

/** Rows of 480 bytes with most kinds of column. */
export const insertEvents = insertTypedRows({
  name: 'clickhouse-insert-events',
  what: 'events of 480 bytes',
  columns: CLICKHOUSE_EVENT_COLUMNS,
  rows: () => eventRows(BATCH_ROWS),
  fingerprint: 'sum(cityHash64(event_id, time, tenant, user_id, session_id, path, agent, referrer, status, duration_ms, amount, bot, tags))',
})
