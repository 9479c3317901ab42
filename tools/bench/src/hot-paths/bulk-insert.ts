import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import pg from 'pg'
import postgres from 'postgres'
import { freshPostgresDatabase } from '../fresh-databases.ts'
import { type FlightRow, flightRows, POSTGRES_FLIGHT_COLUMNS } from '../flight-rows.ts'
import type { BenchEngines, Contender, HotPath, OpenHotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const COPY_BY_PG = 'bulkInsert over pg'
const COPY_BY_POSTGRES = 'bulkInsert over postgres'
const VALUES_BY_PG = 'pg multi-VALUES'
const VALUES_BY_POSTGRES = 'postgres multi-VALUES'

const BATCH_ROWS = 10_000
/** A statement takes 65,535 parameters at most; more than a thousand rows in one make it slower, not faster. */
const ROWS_PER_STATEMENT = 1_000

/** The way from rows in Node.js to a committed batch in PostgreSQL. */
export const bulkInsert: HotPath = {
  name: 'postgres-bulk-insert',
  title: `PostgreSQL bulk insert: flights, ${BATCH_ROWS} a transaction`,
  operation: 'row',
  measure: 'client and server CPU',
  baseline: VALUES_BY_PG,
  goals: [
    { contender: COPY_BY_PG, against: VALUES_BY_PG, speedAtLeast: 3 },
    { contender: COPY_BY_POSTGRES, against: VALUES_BY_PG, speedAtLeast: 3 },
  ],
  open,
}

interface Writer {
  readonly name: string
  readonly table: string
  insert(rows: readonly FlightRow[]): Promise<unknown>
  close(): Promise<unknown>
}

async function open(engines: BenchEngines): Promise<OpenHotPath> {
  const database = await freshPostgresDatabase(engines.postgres)
  const rows = flightRows(BATCH_ROWS)
  const writers = [valuesByPg(database.url), valuesByPostgres(database.url), copyBy('pg', database.url), copyBy('postgres', database.url)]
  const owner = createTimescaleAdapter({ url: database.url })
  for (const { table } of writers) await owner.execute(`create table ${table} (${POSTGRES_FLIGHT_COLUMNS}) with (autovacuum_enabled = false)`)
  const expected = [{ rows: BigInt(rows.length), delay: BigInt(rows.reduce((sum, { delay }) => sum + delay, 0)), first: rows[0]?.time, last: rows.at(-1)?.time }]
  const contender = ({ name, table, insert }: Writer): Contender => ({
    name,
    operationsPerRepeat: rows.length,
    prepare: async () => void (await owner.execute(`truncate ${table}`)),
    run: async (repeats) => {
      for (let repeat = 0; repeat < repeats; repeat++) await insert(rows)
    },
    verify: async () => requireEqual(name, await owner.execute(`select count(*) as rows, sum(delay) as delay, min(time) as first, max(time) as last from ${table}`), expected),
  })
  return {
    contenders: writers.map(contender),
    serverPid: engines.postgres.pid,
    close: async () => {
      await Promise.all([...writers.map((writer) => writer.close()), owner.disconnect()])
      await database.drop()
    },
  }
}

function copyBy(driver: 'pg' | 'postgres', url: string): Writer {
  const storage = createTimescaleAdapter({ url, driver })
  const table = `copied_by_${driver}`
  return { name: driver === 'pg' ? COPY_BY_PG : COPY_BY_POSTGRES, table, insert: (rows) => storage.bulkInsert(table, rows), close: () => storage.disconnect() }
}

function valuesByPg(url: string): Writer {
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  const table = 'values_by_pg'
  const insert = async (rows: readonly FlightRow[]): Promise<void> => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) await client.query(multiValues(table, rows.slice(start, start + ROWS_PER_STATEMENT)))
      await client.query('commit')
    } finally {
      client.release()
    }
  }
  return { name: VALUES_BY_PG, table, insert, close: () => pool.end() }
}

function multiValues(table: string, rows: readonly FlightRow[]): { text: string; values: unknown[] } {
  const columns = Object.keys(rows[0] ?? {})
  const values = rows.flatMap((row) => columns.map((column) => row[column]))
  const tuple = (_: FlightRow, index: number): string => `(${columns.map((_column, place) => `$${index * columns.length + place + 1}`).join(',')})`
  return { text: `insert into ${table} (${columns.join(',')}) values ${rows.map(tuple).join(',')}`, values }
}

function valuesByPostgres(url: string): Writer {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  const table = 'values_by_postgres'
  const insert = (rows: readonly FlightRow[]): Promise<unknown> =>
    sql.begin(async (transaction) => {
      for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
        await transaction`insert into ${transaction(table)} ${transaction(rows.slice(start, start + ROWS_PER_STATEMENT))}`
      }
    })
  return { name: VALUES_BY_POSTGRES, table, insert, close: () => sql.end() }
}
