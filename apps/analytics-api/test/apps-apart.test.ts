import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createAdapter } from '@smart-whale/clickhouse'
import { createTokenIssuer, exportJwkSet, generateSigningKeys } from '@smart-whale/core-security'
import { decodeFreshnessToken, encodeFreshnessToken } from '@smart-whale/messaging/pipeline'
import { COMPILED_PROGRAMS } from '../../../tools/engines/compiled-programs.ts'
import { type FreshDatabase, freshDatabase } from '../../../tools/engines/fresh-database.ts'

const clickhouse = inject('clickhouse')
const database = `test_apart_${process.pid}`
const running: ChildProcess[] = []
let folder: string
let postgres: FreshDatabase
let tokens: Record<'admin' | 'viewer', string>
let ingestor: string
let api: string

/** Starts an app as its container does, and answers its address once it serves. */
function startApp(name: string, environment: Record<string, string>): Promise<string> {
  const main = join(import.meta.dirname, `../../${name}/src/main.ts`)
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', main], { env: { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'info', ...COMPILED_PROGRAMS, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  running.push(child)
  let printed = ''
  return new Promise((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      printed += chunk
      const address = /"address":"(http:[^"]+)"/.exec(printed)?.[1]
      if (address !== undefined) resolve(address)
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.once('exit', (code) => reject(new TypeError(`${name} ended with ${code}:\n${printed}`)))
  })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smart-whale-apart-'))
  postgres = await freshDatabase(inject('postgres'))
  const owner = createAdapter({ url: clickhouse.url, user: clickhouse.owner.username, password: clickhouse.owner.password, database: 'default' })
  await owner.execute(`CREATE DATABASE ${database}`)
  await owner.close()
  const keys = await generateSigningKeys()
  const issuer = createTokenIssuer({ issuer: 'test', audience: 'smart-whale', keys })
  tokens = { admin: await issuer.issue({ subject: 'a', roles: ['admin'] }), viewer: await issuer.issue({ subject: 'v', roles: ['viewer'] }) }
  await writeFile(join(folder, 'jwks.json'), JSON.stringify(exportJwkSet(keys)))
  await writeFile(join(folder, 'pipelines.json'), JSON.stringify([{ topic: 'rides', fields: { id: 'int64', time: 'timestamp', city: 'string' }, time: 'time', id: 'id' }]))
  const common = { CLICKHOUSE_URL: clickhouse.url, CLICKHOUSE_DATABASE: database, DATABASE_URL: postgres.url, AUTH_JWKS_FILE: join(folder, 'jwks.json'), AUTH_ISSUER: 'test' }
  ingestor = await startApp('stream-ingestor', { ...common, CLICKHOUSE_USER: clickhouse.owner.username, CLICKHOUSE_PASSWORD: clickhouse.owner.password, PIPELINES_FILE: join(folder, 'pipelines.json'), BROKER_DIR: join(folder, 'broker') })
  api = await startApp('analytics-api', { ...common, CLICKHOUSE_USER: clickhouse.reader.username, CLICKHOUSE_PASSWORD: clickhouse.reader.password, TABLES: 'rides', INGESTOR_URL: ingestor, GRAPHQL_MAX_ESTIMATED_ROWS: '10' })
})

afterAll(async () => {
  for (const child of running) {
    child.kill('SIGKILL')
  }
  await postgres.drop()
  await rm(folder, { recursive: true, force: true })
})

async function ask(url: string, token: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(url, { method: body === undefined ? 'GET' : 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  return { status: response.status, answer: await response.json() }
}

describe('the API and the ingestor, each a process of its own', () => {
  it('hand an event from one to the other through both stores', async () => {
    const event = { id: '9007199254740993', time: '2026-01-01T00:00:00Z', city: 'Oslo' }

    await expect.poll(async () => (await ask(`${ingestor}/health/ready`, tokens.admin)).status).toBe(200)
    const taken = await ask(`${ingestor}/ingest/rides`, tokens.admin, [event])
    expect(taken).toEqual({ status: 200, answer: { topic: 'rides', accepted: 1, token: expect.stringMatching(/^swf1\./) as string } })

    const wait = { 'x-wait-for': (taken.answer as { token: string }).token }
    expect(await ask(`${api}/analytics`, tokens.admin, { query: 'SELECT id, city FROM rides' }, wait)).toMatchObject({ status: 200, answer: { data: [{ id: '9007199254740993', city: 'Oslo' }] } })
    expect(await ask(`${api}/timeseries/rides/latest?limit=1`, tokens.viewer, undefined, wait)).toMatchObject({ status: 200, answer: { data: [{ id: '9007199254740993', city: 'Oslo' }] } })
    expect(await ask(`${api}/dashboard/summary`, tokens.viewer)).toMatchObject({ answer: { data: { tables: [{ name: 'rides', clickhouse: '1', timescaledb: '1' }], ingest: { pipelines: [{ name: 'rides', state: 'running' }] } } } })
  })

  it('answer what was just sent to whoever waits for it, though an older answer is kept', async () => {
    const query = { query: 'SELECT count() AS n FROM rides' }
    const graphql = { query: '{ analytics(query: "SELECT count() AS n FROM rides") { data } }' }
    for (let id = 1; id <= 5; id++) {
      const before = await ask(`${api}/analytics`, tokens.admin, query)
      const { answer } = await ask(`${ingestor}/ingest/rides`, tokens.admin, [{ id, time: '2026-01-01T00:00:00Z', city: 'Bergen' }])
      const wait = { 'x-wait-for': (answer as { token: string }).token }

      expect(before.status).toBe(200)
      expect(await ask(`${api}/analytics`, tokens.admin, query, wait)).toMatchObject({ status: 200, answer: { data: [{ n: String(id + 1) }] } })
      expect(await ask(`${api}/graphql`, tokens.admin, graphql, wait)).toMatchObject({ status: 200, answer: { data: { analytics: { data: [{ n: String(id + 1) }] } } } })
    }
  })

  it('say how far they are when it takes too long, and refuse what is no token', async () => {
    const { answer } = await ask(`${ingestor}/ingest/rides`, tokens.admin, [{ id: 6, time: '2026-01-01T00:00:00Z', city: 'Bergen' }])
    const target = decodeFreshnessToken((answer as { token: string }).token)
    const far = encodeFreshnessToken({ ...target, offsets: new Map([[0, 1_000_000n]]) })
    const query = { query: 'SELECT 1' }

    expect(await ask(`${api}/analytics`, tokens.admin, query, { 'x-wait-for': far, 'x-wait-timeout-ms': '200' })).toMatchObject({ status: 504, answer: { code: 'ERR_MESSAGING_NOT_FRESH', behind: [{ partition: 0, wanted: '1000000' }] } })
    expect(await ask(`${api}/analytics`, tokens.admin, query, { 'x-wait-for': 'swf1.nonsense' })).toMatchObject({ status: 400, answer: { code: 'ERR_MESSAGING_FRESHNESS_TOKEN' } })
    // Whoever may not ask doesn't get to wait either.
    expect((await ask(`${api}/analytics`, tokens.viewer, query, { 'x-wait-for': far })).status).toBe(403)
    expect(await ask(`${ingestor}/freshness?token=${far}`, tokens.admin)).toMatchObject({ status: 200, answer: { stored: false, behind: [{ partition: 0, wanted: '1000000' }] } })
  })

  it('refuse what the queries of one request would read beyond what they may together', async () => {
    const query = '{ one: analytics(query: "SELECT sum(id) AS n FROM rides") { data } other: analytics(query: "SELECT max(id) AS n FROM rides") { data } }'

    const { answer } = await ask(`${api}/graphql`, tokens.admin, { query })

    expect(answer).toMatchObject({ errors: [{ extensions: { code: 'ERR_CLICKHOUSE_BUDGET' } }] })
  })

  it('let a viewer see, but neither ask in SQL nor send', async () => {
    expect((await ask(`${api}/analytics`, tokens.viewer, { query: 'SELECT 1' })).status).toBe(403)
    expect((await ask(`${ingestor}/ingest/rides`, tokens.viewer, [])).status).toBe(403)
  })

  it('stop at SIGTERM with exit code 0', async () => {
    const ends = running.map((child) => new Promise((resolve) => child.once('exit', resolve)))
    for (const child of running) child.kill('SIGTERM')

    expect(await Promise.all(ends)).toEqual([0, 0])
  })
})
