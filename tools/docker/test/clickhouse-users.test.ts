import { readFileSync } from 'node:fs'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClickHouseAdapter, createAdapter, createBatchWriter, createTable } from '../../../packages/clickhouse/src/index.ts'
import { silentLogger } from '../../../packages/interfaces/src/index.ts'
import { findLibrary } from '../../../packages/clickhouse/src/embedded/find-library.ts'
import { findFreePort } from '../../../packages/clickhouse/src/embedded/find-port.ts'
import { renderServerConfig, renderUsersConfig } from '../../../packages/clickhouse/src/embedded/server-config.ts'
import { spawnServer } from '../../../packages/clickhouse/src/embedded/server-process.ts'
import { ROOT } from '../read-stack.ts'

const PASSWORDS = { CLICKHOUSE_INGESTOR_PASSWORD: 'of the ingestor', CLICKHOUSE_READER_PASSWORD: 'of the reader' }

/** docker's users beside those that the embedded server can't do without; the passwords in their place, since it has no environment. */
function usersFile(): string {
  const docker = readFileSync(join(ROOT, 'docker/clickhouse/users.d/smart-whale.xml'), 'utf8').replace(/<password from_env="(\w+)"\/>/g, (_, name: keyof typeof PASSWORDS) => `<password>${PASSWORDS[name]}</password>`)
  const inner = (tag: string): string => (new RegExp(`<${tag}>([\\s\\S]*)</${tag}>`).exec(docker)?.[1] ?? '').replace(/<default>[\s\S]*?<\/default>|<default remove="remove"\/>/, '')
  return renderUsersConfig([{ username: 'owner', password: 'of the owner', access: 'everything' }])
    .replace('</profiles>', `${inner('profiles')}</profiles>`)
    .replace('</users>', `${inner('users')}</users>`)
}

async function startServer() {
  const folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-docker-'))
  const port = await findFreePort()
  const users = join(folder.path, 'users.xml')
  const config = join(folder.path, 'config.xml')
  await writeFile(users, usersFile())
  await writeFile(config, renderServerConfig(join(folder.path, 'data'), port, users, {}))
  const server = spawnServer(findLibrary(), config, silentLogger)
  const deadline = performance.now() + 120_000
  while (!(await fetch(`http://127.0.0.1:${port}/ping`).then(({ ok }) => ok, () => false))) {
    if (server.exit() !== undefined || performance.now() > deadline) expect.fail(`the server did not start: ${server.exit()?.lastWords ?? 'no answer'}`)
    await sleep(50)
  }
  const login = (user: string, database = 'smart_whale'): ClickHouseAdapter => createAdapter({ url: `http://127.0.0.1:${port}`, database, user, password: `of the ${user}` })
  return {
    login,
    stop: async () => {
      await server.kill()
      await folder.remove()
    },
  }
}

describe('the ClickHouse users of docker/', () => {
  let server: Awaited<ReturnType<typeof startServer>>
  let ingestor: ClickHouseAdapter
  let reader: ClickHouseAdapter

  beforeAll(async () => {
    server = await startServer()
    const owner = server.login('owner', 'default')
    await owner.execute('CREATE DATABASE smart_whale').finally(() => owner.close())
    ingestor = server.login('ingestor')
    reader = server.login('reader')
    await createTable(ingestor, 'rides', { columns: { id: 'UInt64', fare: 'Decimal(8, 2)' }, primaryKey: ['id'] })
  })

  afterAll(async () => {
    await Promise.all([ingestor?.close(), reader?.close()])
    await server?.stop()
  })

  it('let the ingestor write batches under tokens and find what a table refuses', async () => {
    const writer = createBatchWriter<{ id: bigint; fare: string }>(ingestor, 'rides')
    const rows = [{ id: 1n, fare: '12.50' }]

    await writer.write({ rows, token: 'one' })
    await writer.write({ rows, token: 'one' })

    expect(await writer.findRefused([{ id: 2n, fare: '1.005' }])).toHaveLength(1)
    expect((await ingestor.execute('SELECT id, fare FROM rides')).rows).toEqual(rows)
  })

  it('let the reader read, and nothing else', async () => {
    expect((await reader.execute('SELECT count() AS rides FROM rides')).rows).toEqual([{ rides: 1n }])
    for (const query of ['INSERT INTO rides SELECT 2, 0', 'DROP TABLE rides', 'CREATE TABLE own (id UInt8) ENGINE = MergeTree ORDER BY id', "SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", 'SELECT name FROM system.users', 'SYSTEM FLUSH LOGS']) {
      await expect(reader.execute(query), query).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
    }
  })

  it('hold the reader to its limits, which it can not lift', async () => {
    await expect(reader.execute('SELECT number FROM numbers(1000001)')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_LIMIT_EXCEEDED' })
    await expect(reader.execute('SELECT 1', {}, { settings: { max_result_rows: 0 } })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
  })

  it('keep the ingestor to its database and away from files', async () => {
    for (const query of ['CREATE DATABASE other', "SELECT * FROM file('/etc/passwd', 'LineAsString')", 'CREATE TABLE leak (line String) ENGINE = URL(\'http://127.0.0.1:1/\', LineAsString)']) {
      await expect(ingestor.execute(query), query).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
    }
  })
})
