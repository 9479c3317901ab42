import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type EmbeddedPostgres, startPostgres } from '@smart-whale/timescaledb/embedded'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ask, closedFolder, isRunning, ownerOf, spawnHolder, until, whenHolding } from './embedded-folder.ts'

/** These tests kill processes, never the machine: nothing has to reach the disk. */
const startFast = (dataDir: string, port = 0): Promise<EmbeddedPostgres> => startPostgres({ dataDir, port, settings: { fsync: false } })

let folder: Awaited<ReturnType<typeof closedFolder>>
beforeEach(async () => {
  folder = await closedFolder()
})
afterEach(() => folder.remove())

describe('after a crash', () => {
  it('kill -9 of the program leaves no process, and the next start finds the data', async () => {
    const holder = spawnHolder(folder.dataDir)
    const held = await whenHolding(holder)
    await ask(held.url, 'create table kept as select 1 as one')
    const { supervisor } = ownerOf(folder.dataDir)

    holder.kill('SIGKILL')

    // Started at once, while the old server still ends.
    await using server = await startFast(folder.dataDir)
    expect(await ask(server.url, 'select one from kept')).toEqual([{ one: 1 }])
    await until('supervisor and server are gone', () => !isRunning(held.pid) && !isRunning(supervisor.pid))
  })

  it('kill -9 of the server is reported, and the next start finds the data', async () => {
    const first = await startFast(folder.dataDir)
    await ask(first.url, 'create table kept as select 1 as one')

    process.kill(first.pid, 'SIGKILL')

    expect(await first.exited).toMatchObject({ signal: 'SIGKILL' })
    await using second = await startFast(folder.dataDir, first.port)
    expect(await ask(second.url, 'select one from kept')).toEqual([{ one: 1 }])
  })

  it('kill -9 of the supervisor ends the server too', async () => {
    const server = await startFast(folder.dataDir)

    process.kill(ownerOf(folder.dataDir).supervisor.pid, 'SIGKILL')

    await server.exited
    expect(isRunning(server.pid)).toBe(false)
  })

  it('a server that lost both program and supervisor is ended by the next start', async () => {
    const holder = spawnHolder(folder.dataDir)
    const held = await whenHolding(holder)
    process.kill(ownerOf(folder.dataDir).supervisor.pid, 'SIGSTOP')
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    process.kill(ownerOf(folder.dataDir).supervisor.pid, 'SIGKILL')
    expect(isRunning(held.pid)).toBe(true)

    await using server = await startFast(folder.dataDir)

    expect(server.pid).not.toBe(held.pid)
    expect(isRunning(held.pid)).toBe(false)
  })

  it('a program killed in the middle of initdb leaves nothing that stops the next start', async () => {
    const holder = spawnHolder(folder.dataDir)
    await until('initdb is at work', () => existsSync(folder.dataDir) && readdirSync(folder.dataDir).some((name) => name.startsWith('initdb-')))
    holder.kill('SIGKILL')

    await using server = await startFast(folder.dataDir)

    expect(await ask(server.url, 'select 1 as one')).toEqual([{ one: 1 }])
    await until('the half-made cluster is gone', () => !readdirSync(folder.dataDir).some((name) => name.startsWith('initdb-')))
  })

  it.each(['another program', 'the PostgreSQL of another folder'])('a lock file whose process id now belongs to %s does not stop the start', async (whose) => {
    await using elsewhere = await startFast(`${folder.dataDir}-elsewhere`)
    const other = whose === 'another program' ? process.pid : elsewhere.pid
    const first = await startFast(folder.dataDir)
    const lock = await readFile(join(folder.dataDir, 'cluster', 'postmaster.pid'), 'utf8')
    await first.stop()
    await writeFile(join(folder.dataDir, 'cluster', 'postmaster.pid'), lock.replace(/^\d+/, String(other)))

    await using server = await startFast(folder.dataDir)

    expect(await ask(server.url, 'select 1 as one')).toEqual([{ one: 1 }])
  })
})

describe('a folder that can not be used', () => {
  it('is refused at once while its owner lives', async () => {
    await using server = await startFast(folder.dataDir)
    const began = performance.now()

    const second = startFast(folder.dataDir)

    await expect(second).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_FOLDER_BUSY', message: expect.stringContaining(String(server.pid)) as string })
    // Not as long as it waits for a server that ends.
    expect(performance.now() - began).toBeLessThan(30_000)
  })

  it.each([
    ['a truncated control file', (cluster: string) => truncate(join(cluster, 'global', 'pg_control'), 10)],
    ['a lost transaction log', (cluster: string) => rm(join(cluster, 'pg_wal'), { recursive: true })],
    ['no PG_VERSION', (cluster: string) => rm(join(cluster, 'PG_VERSION'))],
    ['the cluster of another version', (cluster: string) => writeFile(join(cluster, 'PG_VERSION'), '17\n')],
    ['no password file', (cluster: string) => rm(join(cluster, '..', 'superuser.password'))],
  ])('with %s is one readable line', async (_what, harm) => {
    await (await startFast(folder.dataDir)).stop()
    await harm(join(folder.dataDir, 'cluster'))

    const failure = await startFast(folder.dataDir).then(
      (server) => server.stop(),
      (error: unknown) => error as Error,
    )

    expect(failure).toMatchObject({ code: 'ERR_TIMESCALEDB_FOLDER_CORRUPT', message: expect.stringContaining(folder.dataDir) as string })
    expect(failure?.message).not.toContain('\n')
  })

  it('that is a file is said to be one', async () => {
    await mkdir(join(folder.dataDir, '..'), { recursive: true })
    await writeFile(folder.dataDir, 'no folder')

    await expect(startFast(folder.dataDir)).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_START_FAILED', message: expect.stringContaining(folder.dataDir) as string })
  })
})
