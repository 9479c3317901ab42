import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ask, eventually, LISTENS, processesOn, startStandalone, type StandaloneProcess, tellingWhenItListens, temporaryFolder } from './standalone-process.ts'

type Answer = { data: Record<string, string>[] }

const FLIGHTS = 200_000
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let standalone: StandaloneProcess | null = null

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(async () => {
  standalone?.kill('SIGKILL')
  await standalone?.exited
  await eventually(() => processesOn(folder.path), (left) => left.length === 0, 'processes left')
  await folder.remove()
})

const start = (...nodeOptions: string[]): StandaloneProcess => {
  standalone = startStandalone(['--data', folder.path, '--port', '0'], {}, nodeOptions)
  return standalone
}

async function expectEachFlightOnce(address: { url: string; token: string }): Promise<void> {
  const clickhouse = await ask<Answer>(address, '/analytics', { query: 'SELECT count() AS n, uniqExact(id) AS flights, uniqExact(source_partition, source_offset) AS origins FROM flights', options: { cache: false } })
  const postgres = await ask<Answer>(address, '/timeseries/flights/aggregate?start=2001-01-01T00:00:00Z&end=2001-07-01T00:00:00Z&interval=1%20year&metrics=count,sum:id')
  const sumOfIds = (15n * BigInt(FLIGHTS) * BigInt(FLIGHTS - 1)) / 2n
  expect(clickhouse.data).toEqual([{ n: String(FLIGHTS), flights: String(FLIGHTS), origins: String(FLIGHTS) }])
  expect(postgres.data).toMatchObject([{ count: String(FLIGHTS), sum_id: String(sumOfIds) }])
}

/** The process that is the engine itself, by what only it has open. */
async function engineOf(engine: 'clickhouse' | 'postgres'): Promise<number[]> {
  const found: number[] = []
  for (const pid of await processesOn(join(folder.path, engine))) {
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
    // PostgreSQL's main process has its folder in its command; its workers call themselves "postgres: …", its supervisor is Node.js.
    if (engine === 'postgres' ? /\bpostgres\b.* -D /.test(command) : /embedded-child/.test(command)) found.push(pid)
  }
  return found
}

describe('a standalone whose processes are killed', () => {
  it('has each flight once in both stores after ten kills of the main process at random moments', { timeout: 600_000 }, async () => {
    for (let kill = 0; kill < 10; kill++) {
      const victim = start()
      const whileLoading = victim.serving.then(() => new Promise((resolve) => setTimeout(resolve, Math.random() * 3000)))
      // One in three dies before it even serves.
      await Promise.race([whileLoading, ...(kill % 3 === 0 ? [new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 2500))] : [])])
      victim.kill('SIGKILL')
      await victim.exited
    }

    const address = await start().ready

    await expectEachFlightOnce(address)
  })

  it('goes on when either engine is killed while the sample is loaded', async () => {
    const running = start()
    await running.serving
    for (const engine of ['clickhouse', 'postgres'] as const) {
      await new Promise((resolve) => setTimeout(resolve, 700))
      const [pid] = await eventually(() => engineOf(engine), (pids) => pids.length > 0, `no process of ${engine}`)
      process.kill(pid as number, 'SIGKILL')
    }

    const address = await running.ready

    await expectEachFlightOnce(address)
  })

  it('leaves nothing when it is told to stop before it has run its first line', async () => {
    const early = start()
    await new Promise((resolve) => setTimeout(resolve, 50))
    early.kill('SIGTERM')

    const { code, signal } = await early.exited
    // Nobody listens yet, and the signal itself ends the process.
    expect(code === 0 || signal === 'SIGTERM', early.output()).toBe(true)
    expect(await processesOn(folder.path)).toEqual([])
  })

  it.each([0, 300, 1100, 2400])('stops with exit code 0 and leaves nothing when it is told so %s ms after its first line', async (delayMs) => {
    const early = start(tellingWhenItListens)
    await eventually(async () => early.output(), (output) => output.includes(LISTENS), 'it never listened')
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    early.kill('SIGTERM')

    expect(await early.exited, early.output()).toEqual({ code: 0, signal: null })
    await eventually(() => processesOn(folder.path), (left) => left.length === 0, 'processes left')
  })
})
