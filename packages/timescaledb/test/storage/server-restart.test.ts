import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { startPostgres } from '@smart-whale/timescaledb/embedded'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

describe.each(['pg', 'postgres'] as const)('a restarted server, over %s', (driver) => {
  let dataDir: string
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'smart-whale-restart-'))
  })
  afterAll(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))

  it('is used again through the same pool, with all that was committed', async () => {
    const first = await startPostgres({ dataDir })
    const storage = createTimescaleAdapter({ url: first.url, driver, maxConnections: 3 })
    await storage.runScript('create table kept (n int)')
    await Promise.all([1, 2, 3].map((n) => storage.execute('insert into kept values ($1)', [n])))

    process.kill(first.pid, 'SIGKILL')
    await first.exited
    await expect(storage.execute('select 1', [], { timeoutMs: 2_000 })).rejects.toMatchObject({ retryable: true })
    const second = await startPostgres({ dataDir, port: first.port })

    const rows = await storage.execute('select count(*) as n from kept', [], { readOnly: true })
    await storage.disconnect()
    await second.stop()

    expect(rows).toEqual([{ n: 3n }])
  })
})
