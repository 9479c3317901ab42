import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from '@smart-whale/interfaces'
import { afterAll, describe, expect, it } from 'vitest'
import { ask, failureOf, isAlive, Servers, until } from './servers.ts'

const servers = new Servers()
afterAll(() => servers.dispose())

describe('startClickHouse', () => {
  it('starts a server that answers its owner, on a free port, with the database asked for', async () => {
    const server = await servers.start({ database: 'my app' })

    expect(server).toMatchObject({ url: `http://127.0.0.1:${server.port}`, database: 'my app' })
    expect((await ask(server, "SELECT count() FROM system.databases WHERE name = 'my app'", server.owner)).text).toBe('1')
    expect((await ask(server, 'SELECT timezone()', server.owner)).text).toBe('UTC')
  })

  it('keeps the data between starts; passwords are new unless given', async () => {
    const dataDir = await servers.folder()
    const first = await servers.start({ dataDir, database: 'kept', reader: { password: 'of the reader' } })
    await ask(first, 'CREATE TABLE kept.t (n UInt64) ENGINE = MergeTree ORDER BY n', first.owner)
    await ask(first, 'INSERT INTO kept.t SELECT number FROM numbers(1000)', first.owner)
    await first.stop()

    const second = await servers.start({ dataDir, database: 'kept', reader: { password: 'of the reader' } })

    expect((await ask(second, 'SELECT count() FROM kept.t', second.reader)).text).toBe('1000')
    expect(second.reader).toEqual(first.reader)
    expect(second.owner.password).not.toBe(first.owner.password)
    expect((await ask(second, 'SELECT 1', first.owner)).status).toBe(403)
  })

  it('logs queries, in each life anew', async () => {
    const dataDir = await servers.folder()
    for (let life = 1; life <= 2; life++) {
      const server = await servers.start({ dataDir })
      await ask(server, `SELECT 'life ${life}'`, server.owner)
      await ask(server, 'SYSTEM FLUSH LOGS', server.owner)

      expect((await ask(server, "SELECT groupUniqArray(query) FROM system.query_log WHERE query LIKE 'SELECT \\'life%'", server.owner)).text).toBe(`['SELECT \\'life ${life}\\'']`)
      expect((await ask(server, 'SHOW CREATE TABLE system.query_log', server.owner)).text).toContain('TTL event_date')
      await server.stop()
    }
  })

  it('stops at once, twice, with connections open and queries running', async () => {
    const server = await servers.start()
    await ask(server, 'SELECT 1', server.owner)
    const running = ask(server, 'SELECT sleepEachRow(1) FROM numbers(100) SETTINGS function_sleep_max_microseconds_per_block = 0, max_block_size = 1', server.owner).catch(() => 'broken off')
    const before = performance.now()

    await Promise.all([server.stop(), server.stop()])
    await server.stop()

    // The query would have gone on for longer.
    expect(performance.now() - before).toBeLessThan(30_000)
    expect(isAlive(server.pid)).toBe(false)
    expect(await server.exited).toMatchObject({ signal: 'SIGKILL' })
    await running
  })

  it('stays when a terminal interrupts the process group, and tells when it is killed', async () => {
    const dataDir = await servers.folder()
    const server = await servers.start({ dataDir })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(server.pid, signal)
    expect((await ask(server, 'SELECT 1', server.owner)).text).toBe('1')

    process.kill(server.pid, 'SIGKILL')

    expect(await server.exited).toMatchObject({ code: null, signal: 'SIGKILL' })
    const again = await servers.start({ dataDir, port: server.port, owner: server.owner })
    expect((await ask(again, 'SELECT 1', server.owner)).text).toBe('1')
  })

  it('backs up into its backup folder, and nowhere else', async () => {
    const server = await servers.start({ database: 'app' })
    await ask(server, 'CREATE TABLE app.t (n UInt8) ENGINE = MergeTree ORDER BY n', server.owner)

    expect((await ask(server, "BACKUP TABLE app.t TO File('one')", server.owner)).text).toContain('BACKUP_CREATED')
    expect(await readdir(server.backupPath)).toEqual(['one'])
    expect((await ask(server, "BACKUP TABLE app.t TO File('/tmp/elsewhere')", server.owner)).status).not.toBe(200)
  })

  it('needs little memory while idle', async () => {
    const server = await servers.start()
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8').catch(() => 'VmRSS: 0 kB')
    expect(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024).toBeLessThan(400)
  })
})

describe('a server whose parent was killed', () => {
  it('ends at once, and its folder and port can be used again', async () => {
    const dataDir = await servers.folder()
    for (let round = 0; round < 3; round++) {
      const parent = spawn(process.execPath, ['--conditions=@smart-whale/source', fileURLToPath(new URL('./parent.ts', import.meta.url)), dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
      const [line] = (await once(parent.stdout, 'data')) as [Buffer]
      const child = JSON.parse(line.toString()) as { pid: number; port: number; url: string }
      await ask(child, `CREATE TABLE default.round_${round} (n UInt8) ENGINE = MergeTree ORDER BY n`, { username: 'owner', password: 'of-the-parent' })

      parent.kill('SIGKILL')
      const successor = await servers.start({ dataDir, port: child.port })

      await until(() => !isAlive(child.pid), 'the child is gone')
      expect((await ask(successor, "SELECT count() FROM system.tables WHERE name LIKE 'round_%'", successor.owner)).text).toBe(String(round + 1))
      await successor.stop()
    }
  })
})

describe('a start that can not succeed', () => {
  it('names the folder that another live server has, and leaves that one alone', async () => {
    const dataDir = await servers.folder()
    const first = await servers.start({ dataDir })
    const error = await failureOf(servers.start({ dataDir, busyTimeoutMs: 300 }))

    expect(error.code).toBe('ERR_CLICKHOUSE_FOLDER_BUSY')
    expect(error.message).toContain(dataDir)
    expect((await ask(first, 'SELECT 1', first.owner)).text).toBe('1')
  })

  it('names the port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const error = await failureOf(servers.start({ port }))
    taken.close()

    expect(error.code).toBe('ERR_CLICKHOUSE_PORT_IN_USE')
    expect(error.message).toContain(String(port))
  })

  it.each([
    ['a table definition', 't.sql', 'garbage'],
    ['a database definition', 'app.sql', ''],
  ])('says on one line what is broken: %s', async (_what, file, content) => {
    const dataDir = await servers.folder()
    const server = await servers.start({ dataDir, database: 'app' })
    await ask(server, 'CREATE TABLE app.t (n UInt8) ENGINE = MergeTree ORDER BY n', server.owner)
    await server.stop()
    const files = await readdir(dataDir, { recursive: true })
    await writeFile(join(dataDir, files.find((path) => path.endsWith(`/${file}`)) ?? expect.fail(`no ${file}`)), content)

    const error = await failureOf(servers.start({ dataDir, database: 'app' }))

    expect(error.code).toBe('ERR_CLICKHOUSE_FOLDER_CORRUPT')
    expect(error.message).toContain(file)
    expect(error.message).not.toContain('\n')
  })

  it('reports parts that it could not read', async () => {
    const dataDir = await servers.folder()
    const server = await servers.start({ dataDir })
    await ask(server, 'CREATE TABLE default.t (n UInt64) ENGINE = MergeTree ORDER BY n', server.owner)
    await ask(server, 'INSERT INTO default.t SELECT number FROM numbers(10)', server.owner)
    await server.stop()
    const files = await readdir(join(dataDir, 'server', 'store'), { recursive: true })
    const checksums = files.find((path) => path.endsWith('all_1_1_0/checksums.txt')) ?? expect.fail('no part')
    await writeFile(join(dataDir, 'server', 'store', checksums), 'x')

    const warnings: string[] = []
    const note = (...parts: unknown[]): void => void warnings.push(JSON.stringify(parts))
    const silent = (): void => {}
    await servers.start({ dataDir, logger: { trace: silent, debug: silent, info: silent, warn: note, error: note, fatal: note } as unknown as Logger })

    expect(warnings.join('\n')).toContain('all_1_1_0')
  })

  it('refuses a folder that is a file', async () => {
    const file = join(await servers.folder(), 'file')
    await writeFile(file, '')
    expect((await failureOf(servers.start({ dataDir: file }))).code).toBe('ERR_CLICKHOUSE_FOLDER_UNUSABLE')
  })

  it('gives up at its deadline, and when told to, and leaves no process behind', async () => {
    const dataDir = await servers.folder()
    expect((await failureOf(servers.start({ dataDir, startTimeoutMs: 60 }))).code).toBe('ERR_CLICKHOUSE_START_TIMEOUT')
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 60)
    expect((await failureOf(servers.start({ dataDir, signal: abort.signal }))).code).toBe('ERR_ABORTED')
    expect((await failureOf(servers.start({ dataDir, signal: AbortSignal.abort() }))).code).toBe('ERR_ABORTED')

    const server = await servers.start({ dataDir, busyTimeoutMs: 0 })
    expect((await ask(server, 'SELECT 1', server.owner)).text).toBe('1')
    await server.stop()
    await rm(dataDir, { recursive: true })
  })
})
