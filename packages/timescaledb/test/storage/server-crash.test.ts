import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createMigrationManager, createTimescaleAdapter, IngestLedger } from '@smart-whale/timescaledb'
import { describe, expect, it } from 'vitest'
import { type ManagedServer, ServiceError, startManagedPostgres, startTimescaleDb } from '../../../../tools/services/src/index.ts'
import { until } from '../time-series-database.ts'

const COUNT = 20_000
const KILLS = 3
const script = fileURLToPath(new URL('../fixtures/ingest-slices.ts', import.meta.url))

const servers: readonly { readonly name: string; start(): Promise<ManagedServer> }[] = [
  { name: 'PostgreSQL', start: () => startManagedPostgres({ durable: true }) },
  { name: 'TimescaleDB', start: () => startTimescaleDb({ durable: true }) },
]

/** Writes as a pipeline does, until all is stored or something fails. */
const ingest = (url: string, owner: string): ChildProcess =>
  spawn(process.execPath, ['--conditions=@smart-whale/source', script, url, String(COUNT), owner], { stdio: ['ignore', 'ignore', 'ignore'] })

describe.each(servers)('kill -9 of $name in the middle of ingest', ({ start }) => {
  it('loses no committed row and doubles none', async (context) => {
    const server = await start().catch((error: unknown) => {
      if (error instanceof ServiceError && error.code === 'ERR_SERVICES_MISSING') return context.skip(`needs TimescaleDB: ${error.message}`)
      throw error
    })
    const storage = createTimescaleAdapter({ url: await withDatabase(server.address), maxConnections: 2 })
    try {
      await createMigrationManager(storage).up()
      await storage.execute('create table crash_rows (at timestamptz not null, source_offset bigint not null, owner text not null)')
      await storage.createHypertable('crash_rows', 'at', { chunkInterval: '1 day' })
      const stored = async (): Promise<number> => Number((await storage.execute<{ n: bigint }>('select count(*) as n from crash_rows', [], { readOnly: true }))[0]?.n)

      for (let kill = 0; kill < KILLS; kill++) {
        const before = await stored()
        const child = ingest(storage.pool.config.getConnectionString(), `owner-${kill}`)
        const exit = once(child, 'exit')
        await until(async () => child.exitCode !== null || (await stored()) > before + 300, 'the writer gets on')
        await server.kill()
        await exit
        await server.restart()
        await until(() => stored().then(() => true, () => false), 'the server answers')
      }
      const [code] = (await once(ingest(storage.pool.config.getConnectionString(), 'last'), 'exit')) as [number]

      expect(code).toBe(0)
      expect(await storage.execute('select count(*) as n, count(distinct source_offset) as single, max(source_offset) as last from crash_rows')).toEqual([
        { n: BigInt(COUNT), single: BigInt(COUNT), last: BigInt(COUNT - 1) },
      ])
      expect(await new IngestLedger(storage).inspect({ pipeline: 'crash', topicId: 'crash', partition: 0 })).toMatchObject({ nextOffset: BigInt(COUNT), inFlight: null })
    } finally {
      await storage.disconnect()
      await server.stop()
    }
  })
})

/** A database with the extension, where the server has a template of one. */
async function withDatabase(address: string): Promise<string> {
  const outside = createTimescaleAdapter({ url: address, maxConnections: 1 })
  const url = new URL(address)
  url.pathname = '/crash'
  try {
    const [template] = await outside.execute(`select datname from pg_database where datname = 'tpl_ts'`)
    await outside.execute(`create database crash ${template ? 'template tpl_ts' : ''}`)
    return url.href
  } finally {
    await outside.disconnect()
  }
}
