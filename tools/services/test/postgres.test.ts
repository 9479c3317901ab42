import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startManagedPostgres, startTimescaleDb, type TimescaleDb } from '../src/index.ts'
import { doesPostgresAnswer } from '../src/does-answer.ts'
import { startOr } from './start-or-skip.ts'

async function ask(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const store = createTimescaleAdapter({ url })
  await store.connect()
  try {
    return (await store.query(statement)).rows
  } finally {
    await store.disconnect()
  }
}

describe('startTimescaleDb', () => {
  let server: TimescaleDb | undefined
  let lack = ''
  beforeAll(async () => {
    ;({ started: server, lack } = await startOr(() => startTimescaleDb({ durable: true })))
  }, 240_000)
  afterAll(() => server?.stop())

  it('gives a template that databases with the extension are made from', async (context) => {
    if (server === undefined) return context.skip(`needs TimescaleDB: ${lack}`)
    await ask(server.address, `create database from_template template ${server.template}`)
    const url = new URL(server.address)
    url.pathname = '/from_template'

    await ask(url.href, 'create table readings (at timestamptz not null, value int)')
    await ask(url.href, "select create_hypertable('readings', 'at')")

    expect(await ask(url.href, 'select hypertable_name as name from timescaledb_information.hypertables')).toEqual([{ name: 'readings' }])
    expect(server.version).toMatch(/^2\.\d+/)
  })

  it('keeps through a kill what was committed, at the same address', async (context) => {
    if (server === undefined) return context.skip(`needs TimescaleDB: ${lack}`)
    await ask(server.address, 'create table kept as select 7 as value')

    await server.kill()
    expect(await doesPostgresAnswer(server.address)).toBe(false)
    await server.restart()

    expect(await ask(server.address, 'select value from kept')).toEqual([{ value: 7 }])
  })
})

describe('startManagedPostgres', () => {
  it('holds a server, lets it go on, and leaves nothing', async () => {
    await using server = await startManagedPostgres()
    const pids = server.pids

    server.pause()
    expect(await doesPostgresAnswer(server.address, 200)).toBe(false)
    server.resume()
    expect(await doesPostgresAnswer(server.address)).toBe(true)

    await server.stop()
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  })
})
