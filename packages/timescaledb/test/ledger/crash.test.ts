import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createMigrationManager, createPartitionManager, IngestLedger } from '@smart-whale/timescaledb'
import { expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase } from '../time-series-database.ts'

const COUNT = 20_000
const script = fileURLToPath(new URL('../fixtures/ingest-slices.ts', import.meta.url))

const start = (url: string, owner: string): ChildProcess =>
  spawn(process.execPath, ['--conditions=@smart-whale/source', script, url, String(COUNT), owner], { stdio: ['ignore', 'ignore', 'inherit'] })

describeEngines((engine) => {
  it('every offset is stored once, however often the process is killed', async () => {
    const database = await openTestDatabase(engine)
    try {
      const { storage } = database
      await createMigrationManager(storage).up()
      await storage.execute('create table crash_rows (at timestamptz not null, source_offset bigint not null, owner text not null)')
      await createPartitionManager(storage).partitionByTime('crash_rows', 'at', { chunkInterval: '1 day' })
      const stored = async (): Promise<number> => Number((await storage.execute<{ n: bigint }>('select count(*) as n from crash_rows'))[0]?.n)

      let [kills, code] = [0, null as number | null]
      while (code !== 0) {
        const child = start(database.url, `owner-${kills}`)
        const exit = once(child, 'exit') as Promise<[number | null]>
        const before = await stored()
        // Killed while it works, never before it has begun to; the last one may finish.
        if (kills < 6) await waitForProgress({ stored, exit, beyond: before })
        if (kills < 6 && child.exitCode === null) child.kill('SIGKILL')
        code = (await exit)[0]
        kills++
      }

      const [sums] = await storage.execute(`select count(*) as n, count(distinct source_offset) as distinct, min(source_offset) as first, max(source_offset) as last from crash_rows`)
      expect(sums).toEqual({ n: BigInt(COUNT), distinct: BigInt(COUNT), first: 0n, last: BigInt(COUNT - 1) })
      expect(await new IngestLedger(storage).inspect({ pipeline: 'crash', topicId: 'crash', partition: 0 })).toMatchObject({ nextOffset: BigInt(COUNT), inFlight: null })
      expect(kills).toBeGreaterThan(3)
    } finally {
      await database.close()
    }
  })
})

async function waitForProgress({ stored, exit, beyond }: { stored: () => Promise<number>; exit: Promise<unknown>; beyond: number }): Promise<void> {
  let ended = false
  void exit.then(() => (ended = true))
  const wanted = beyond + 200 + Math.floor(Math.random() * 1500)
  while (!ended && (await stored()) < wanted);
}
