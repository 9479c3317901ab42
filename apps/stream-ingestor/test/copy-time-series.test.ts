import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type ClickHouseAdapter, createAdapter } from '@smart-whale/clickhouse'
import { createTimescaleAdapter, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../tools/engines/fresh-database.ts'

let database: FreshDatabase
let timescaledb: TimescaleStorage
let clickhouse: ClickHouseAdapter
let login: { readonly url: string; readonly user: string; readonly password: string; readonly database: string }
const ROWS = 1500

beforeAll(async () => {
  const { url, owner } = inject('clickhouse')
  login = { url, user: owner.username, password: owner.password, database: `test_n_${randomBytes(6).toString('hex')}` }
  clickhouse = createAdapter(login)
  const server = createAdapter({ ...login, database: 'default' })
  await server.execute(`CREATE DATABASE ${login.database}`)
  await server.close()
  database = await freshDatabase(inject('postgres'))
  timescaledb = createTimescaleAdapter({ url: database.url })
  await timescaledb.connect()
  // Three rows a moment, so that slices of fifty end between two of them; microseconds; every ninth has no value; the session is far from UTC.
  await timescaledb.execute('create table readings (timestamp timestamptz not null, value double precision, metadata jsonb)')
  await timescaledb.execute(
    `insert into readings select timestamptz '2001-01-01 00:00:00.000001+00' + (i / 3) * interval '61.000007 seconds', case when i % 9 = 0 then null else i / 7.0 end, jsonb_build_object('i', i)
     from generate_series(0, ${ROWS - 1}) as i`,
  )
})
afterAll(async () => {
  await clickhouse.execute(`DROP DATABASE ${login.database} SYNC`)
  await Promise.all([clickhouse.close(), timescaledb.disconnect()])
  await database.drop()
})

interface Copying {
  readonly process: ChildProcess
  readonly lines: AsyncIterator<string>
}

function startCopying(): Copying {
  const script = join(import.meta.dirname, 'copy-time-series.ts')
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', script, JSON.stringify({ source: database.url, ...login })], { stdio: ['ignore', 'pipe', 'inherit'] })
  return { process: child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}

async function contentOf(query: string, from: 'clickhouse' | 'postgres'): Promise<unknown> {
  return from === 'clickhouse' ? (await clickhouse.execute(query)).rows : timescaledb.execute(query)
}

describe('a time series that is copied out of PostgreSQL', () => {
  it('is there once, as it is there, although its process was killed again and again', async () => {
    let killed = 0
    for (const slices of [1, 8]) {
      const copying = startCopying()
      for (let seen = 0; seen < slices; seen++) await copying.lines.next()
      copying.process.kill('SIGKILL')
      await once(copying.process, 'exit')
      killed++
    }
    const last = startCopying()
    const lines: string[] = []
    for (let line = await last.lines.next(); line.done !== true; line = await last.lines.next()) lines.push(line.value)
    const report = JSON.parse(lines.at(-1) ?? 'null') as { readonly written: number; readonly rows: number; readonly slices: number } | null

    expect({ killed, rows: report?.rows }).toEqual({ killed: 2, rows: ROWS })
    expect(report?.written).toBeLessThan((report?.slices ?? 0) - 6)
    const inPostgres = await contentOf(
      `select count(*) as rows, count(value) as valued, sum(value)::text as sum, (sum(extract(epoch from timestamp) * 1000000))::bigint::text as moments, count(distinct metadata) as different from readings`,
      'postgres',
    )
    const inClickHouse = await contentOf(
      `SELECT count() AS rows, count(value) AS valued, sum(toUnixTimestamp64Micro(timestamp)) AS moments, uniqExact(metadata) AS different FROM readings_analytics`,
      'clickhouse',
    )
    const [expected] = inPostgres as [Record<string, unknown>]
    expect(inClickHouse).toEqual([{ rows: BigInt(ROWS), valued: expected['valued'], moments: BigInt(String(expected['moments'])), different: BigInt(ROWS) }])
    const values = await clickhouse.execute<{ i: bigint; value: number | null }>("SELECT JSONExtractInt(metadata, 'i') AS i, value FROM readings_analytics ORDER BY i")
    expect(values.rows.filter(({ i, value }) => value !== (Number(i) % 9 === 0 ? null : Number(i) / 7))).toEqual([])
  })
})
