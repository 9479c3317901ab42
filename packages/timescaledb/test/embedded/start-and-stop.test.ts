import { createServer } from 'node:net'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { startPostgres } from '@smart-whale/timescaledb/embedded'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ask, closedFolder, isRunning } from './embedded-folder.ts'

let folder: Awaited<ReturnType<typeof closedFolder>>
beforeEach(async () => {
  folder = await closedFolder()
})
afterEach(() => folder.remove())

describe('startPostgres', () => {
  it('starts PostgreSQL 18 in a folder that only its maker may enter, and leaves no process behind', async () => {
    const server = await startPostgres({ dataDir: folder.dataDir, database: 'whale' })

    const [row] = await ask(server.url, `select current_setting('server_version_num')::int / 10000 as major, current_database() as database`)
    await server.stop()

    expect(row).toEqual({ major: 18, database: 'whale' })
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(isRunning(server.pid)).toBe(false)
  })

  it('finds data and password again on the next start', async () => {
    const first = await startPostgres({ dataDir: folder.dataDir })
    await ask(first.url, 'create table kept as select 42 as answer')
    await first.stop()

    const second = await startPostgres({ dataDir: folder.dataDir, port: first.port })
    const rows = await ask(second.url, 'select answer from kept')
    await second.stop()

    expect(rows).toEqual([{ answer: 42 }])
    expect(second.url).toBe(first.url)
  })

  it('is durable, in UTC, without JIT, closed to other hosts, and asks for the password', async () => {
    await using server = await startPostgres({ dataDir: folder.dataDir })

    const rows = await ask(
      server.url,
      `select name, setting from pg_settings where name in
       ('fsync', 'synchronous_commit', 'full_page_writes', 'TimeZone', 'jit', 'listen_addresses', 'password_encryption', 'data_checksums') order by name`,
    )

    expect(Object.fromEntries(rows.map((row) => [row['name'], row['setting']]))).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      TimeZone: 'UTC',
      jit: 'off',
      listen_addresses: '127.0.0.1',
      password_encryption: 'scram-sha-256',
      data_checksums: 'on',
    })
    await expect(ask(server.url.replace(/:[^:@]+@/, ':wrong@'), 'select 1')).rejects.toThrow(/password authentication failed/)
    expect((await stat(join(folder.dataDir, 'superuser.password'))).mode & 0o777).toBe(0o600)
  })

  it('takes settings of the caller', async () => {
    await using server = await startPostgres({ dataDir: folder.dataDir, settings: { work_mem: '7MB', fsync: false } })

    const rows = await ask(server.url, `select current_setting('work_mem') as memory, current_setting('fsync') as fsync`)

    expect(rows).toEqual([{ memory: '7MB', fsync: 'off' }])
  })

  it('names a setting that the server refuses', async () => {
    const starting = startPostgres({ dataDir: folder.dataDir, settings: { shared_buffers: 'plenty' } })

    await expect(starting).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_START_FAILED', message: expect.stringContaining('shared_buffers') as string })
  })

  it('names the port that another program uses', async () => {
    const other = createServer()
    const port = await new Promise<number>((resolve) => other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port)))

    const starting = startPostgres({ dataDir: folder.dataDir, port })

    await expect(starting).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_PORT_BUSY', message: expect.stringContaining(String(port)) as string })
    await new Promise((resolve) => other.close(resolve))
  })

  it('refuses options that are wrong, naming each', async () => {
    const starting = startPostgres({ dataDir: '', port: 70_000, settings: { 'a=b': 1 } })

    await expect(starting).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_INPUT', issues: [{ path: ['dataDir'] }, { path: ['port'] }, { path: ['settings', 'a=b'] }] })
  })

  it('can be aborted while it starts, and started again', async () => {
    const starting = startPostgres({ dataDir: folder.dataDir, signal: AbortSignal.timeout(150) })
    await expect(starting).rejects.toMatchObject({ code: 'ERR_ABORTED' })

    await using server = await startPostgres({ dataDir: folder.dataDir })

    expect(await ask(server.url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  it('says when it was not ready in time', async () => {
    const starting = startPostgres({ dataDir: folder.dataDir, startTimeoutMs: 50 })

    await expect(starting).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT', message: expect.stringContaining('50 ms') as string })
  })
})
