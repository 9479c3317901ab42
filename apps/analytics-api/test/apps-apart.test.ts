import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createAdapter } from '@smart-whale/clickhouse'
import { createTokenIssuer, exportJwkSet, generateSigningKeys } from '@smart-whale/core-security'
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
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', main], { env: { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'info', ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
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
  api = await startApp('analytics-api', { ...common, CLICKHOUSE_USER: clickhouse.reader.username, CLICKHOUSE_PASSWORD: clickhouse.reader.password, TABLES: 'rides', INGESTOR_URL: ingestor })
}, 60_000)

afterAll(async () => {
  for (const child of running) {
    child.kill('SIGKILL')
  }
  await postgres.drop()
  await rm(folder, { recursive: true, force: true })
})

async function ask(url: string, token: string, body?: unknown): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(url, { method: body === undefined ? 'GET' : 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  return { status: response.status, answer: await response.json() }
}

describe('the API and the ingestor, each a process of its own', () => {
  it('hand an event from one to the other through both stores', async () => {
    const event = { id: '9007199254740993', time: '2026-01-01T00:00:00Z', city: 'Oslo' }

    expect(await ask(`${ingestor}/ingest/rides`, tokens.admin, [event])).toEqual({ status: 200, answer: { topic: 'rides', accepted: 1 } })

    const query = { query: 'SELECT id, city FROM rides', options: { cache: false } }
    await expect.poll(() => ask(`${api}/analytics`, tokens.admin, query), { timeout: 10_000 }).toMatchObject({ status: 200, answer: { data: [{ id: '9007199254740993', city: 'Oslo' }] } })
    await expect.poll(() => ask(`${api}/timeseries/rides/latest?limit=1`, tokens.viewer), { timeout: 10_000 }).toMatchObject({ status: 200, answer: { data: [{ id: '9007199254740993', city: 'Oslo' }] } })
    expect(await ask(`${api}/dashboard/summary`, tokens.viewer)).toMatchObject({ answer: { data: { tables: [{ name: 'rides', clickhouse: '1', timescaledb: '1' }], ingest: { pipelines: [{ name: 'rides', state: 'running' }] } } } })
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
