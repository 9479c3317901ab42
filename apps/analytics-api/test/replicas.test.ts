import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest'
import { createAccessControl } from '@smart-whale/clickhouse'
import { type EmbeddedClickHouse, startClickHouse } from '@smart-whale/clickhouse/embedded'
import { createTokenIssuer, exportJwkSet, generateSigningKeys } from '@smart-whale/core-security'
import { COMPILED_PROGRAMS } from '../../../tools/engines/compiled-programs.ts'
import { type FreshDatabase, freshDatabase } from '../../../tools/engines/fresh-database.ts'
import { type RedisServers, ServiceError, startRedis } from '../../../tools/services/src/index.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')
const ALLOWED = 4

const levelOf = (role: string) => ({ user: role, password: `password of the ${role}`, roles: [role], tables: { rides: { shared: true } } })
const levels = { free: levelOf('admin'), bounded: { ...levelOf('analyst'), quota: { windowSeconds: 3_600, maxQueries: ALLOWED, maxDegradedAgeSeconds: 0 } } }
const running: ChildProcess[] = []
let folder: string
let postgres: FreshDatabase
let clickhouse: EmbeddedClickHouse
let tokens: Record<'admin' | 'analyst', string>
let redis: RedisServers | undefined
let lack = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smart-whale-replicas-'))
  postgres = await freshDatabase(inject('postgres'))
  redis = await startRedis().catch((error: unknown) => {
    if (!(error instanceof ServiceError)) throw error
    lack = error.message
    return undefined
  })
  const keys = await generateSigningKeys()
  const issuer = createTokenIssuer({ issuer: 'test', audience: 'smart-whale', keys })
  tokens = { admin: await issuer.issue({ subject: 'a', roles: ['admin'] }), analyst: await issuer.issue({ subject: 'b', roles: ['analyst'] }) }
  clickhouse = await startClickHouse({ dataDir: join(folder, 'clickhouse'), database: 'app', users: createAccessControl({ levels, database: 'app' }).embeddedUsers() })
  await writeFile(join(folder, 'jwks.json'), JSON.stringify(exportJwkSet(keys)))
  await writeFile(join(folder, 'access.json'), JSON.stringify({ levels }))
})

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL')
  await Promise.all([redis?.stop(), clickhouse.stop()])
  await postgres.drop()
  await rm(folder, { recursive: true, force: true })
})

/** Starts the API as its container does, and answers its address once it serves. */
function startReplica(address: string): Promise<string> {
  const environment = {
    CLICKHOUSE_URL: clickhouse.url,
    CLICKHOUSE_DATABASE: 'app',
    CLICKHOUSE_USER: levels.free.user,
    CLICKHOUSE_PASSWORD: levels.free.password,
    CLICKHOUSE_ACCESS_FILE: join(folder, 'access.json'),
    DATABASE_URL: postgres.url,
    AUTH_JWKS_FILE: join(folder, 'jwks.json'),
    AUTH_ISSUER: 'test',
    REDIS_URL: `redis://${address}`,
  }
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', MAIN], { env: { PATH: process.env.PATH, PORT: '0', ...COMPILED_PROGRAMS, ...environment }, stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(child)
  let printed = ''
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk
      const found = /"address":"(http:[^"]+)"/.exec(printed)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new TypeError(`ended with ${code}:\n${printed}`)))
  })
}

interface Asked {
  readonly status: number
  readonly answer: { readonly code?: string; readonly cache?: { readonly status: string }; readonly dependencies?: readonly { readonly name: string; readonly status: string }[] }
}

async function ask(url: string, token: string, query?: string): Promise<Asked> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const response = await fetch(url, query === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify({ query }) })
  return { status: response.status, answer: (await response.json()) as Asked['answer'] }
}

function serversOf(context: TestContext): RedisServers {
  return redis ?? context.skip(`needs Redis: ${lack}`)
}

describe('two replicas of the API with one Redis', () => {
  it('share answers and quotas; while it is away each goes on by itself, also one that begins then, and they share again once it is back', async (context) => {
    const [server] = serversOf(context).nodes as [RedisServers['nodes'][number]]
    const [one, other] = await Promise.all([startReplica(server.address), startReplica(server.address)])
    const statusAt = async (replica: string, query: string): Promise<string | undefined> => (await ask(`${replica}/analytics`, tokens.admin, query)).answer.cache?.status

    expect([await statusAt(one, 'SELECT 1 AS shared'), await statusAt(other, 'SELECT 1 AS shared')]).toEqual(['miss', 'hit'])

    const counts: number[] = []
    for (let asked = 0; asked < ALLOWED; asked++) counts.push((await ask(`${one}/analytics`, tokens.analyst, `SELECT ${asked} AS one`)).status)
    expect(counts).toEqual([200, 200, 200, 200])
    // It hears of that within a second, and has spent less than it may until then.
    let spent = 0
    await expect.poll(async () => (await ask(`${other}/analytics`, tokens.analyst, `SELECT ${spent++} AS other`)).answer.code, { interval: 400 }).toBe('ERR_CLICKHOUSE_QUOTA')
    expect(spent).toBeLessThanOrEqual(ALLOWED)

    await server.kill()
    const late = await startReplica(server.address)
    for (const replica of [one, other, late]) {
      expect((await ask(`${replica}/analytics`, tokens.admin, 'SELECT 2 AS alone')).status).toBe(200)
      expect((await ask(`${replica}/health/ready`, tokens.admin)).status).toBe(200)
      await expect.poll(async () => (await ask(`${replica}/health`, tokens.admin)).answer.dependencies?.find(({ name }) => name === 'Redis')?.status).toBe('down')
    }
    expect((await ask(`${other}/analytics`, tokens.analyst, 'SELECT 3 AS stays')).answer.code).toBe('ERR_CLICKHOUSE_QUOTA')

    await server.restart()
    let asked = 0
    for (const replica of [other, late]) {
      await expect.poll(async () => [await statusAt(one, `SELECT ${++asked} AS again`), await statusAt(replica, `SELECT ${asked} AS again`)]).toEqual(['miss', 'hit'])
    }
    await expect.poll(async () => (await ask(`${late}/analytics`, tokens.analyst, `SELECT ${++asked} AS spent`)).answer.code, { interval: 400 }).toBe('ERR_CLICKHOUSE_QUOTA')
  })
})
