import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest'
import { createAdapter } from '@smart-whale/clickhouse'
import type { MessagingTransport } from '@smart-whale/messaging'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import { type FreshDatabase, freshDatabase } from '../../../tools/engines/fresh-database.ts'
import { type IngestorProcess, privateMemoryMb, ready, runCommand, startCommand } from './ingestor-process.ts'
import { runHere } from './run-here.ts'

const kafka = inject('kafka')
const clickhouse = inject('clickhouse')
const name = `test_kafka_${process.pid}`
const running: IngestorProcess[] = []
let folder: string
let postgres: FreshDatabase
let transport: MessagingTransport

beforeAll(async () => {
  if (kafka.found === null) return
  folder = await mkdtemp(join(tmpdir(), 'smart-whale-ingestor-'))
  postgres = await freshDatabase(inject('postgres'))
  await withOwner((owner) => owner.execute(`CREATE DATABASE ${name}`))
  transport = createPlatformaticTransport({ brokers: kafka.found.brokers })
  await transport.start()
})

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill('SIGKILL')
    await child.exited
  }
})

afterAll(async () => {
  if (kafka.found === null) return
  for (const topic of await transport.topics.list()) if (topic.startsWith(name)) await transport.topics.delete(topic)
  await transport.stop()
  await withOwner((owner) => owner.execute(`DROP DATABASE ${name} SYNC`))
  await postgres.drop()
  await rm(folder, { recursive: true, force: true })
})

async function withOwner(work: (owner: ReturnType<typeof createAdapter>) => Promise<unknown>): Promise<void> {
  const owner = createAdapter({ url: clickhouse.url, user: clickhouse.owner.username, password: clickhouse.owner.password, database: 'default' })
  await work(owner)
  await owner.close()
}

/** A topic and the environment of an ingestor for it. */
async function world(context: TestContext, pipeline: object = {}): Promise<{ topic: string; environment: Record<string, string> }> {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const topic = `${name}_${randomBytes(4).toString('hex')}`
  const file = join(folder, `${topic}.json`)
  await writeFile(file, JSON.stringify([{ topic, fields: { id: 'int64', time: 'timestamp', city: 'string' }, time: 'time', id: 'id', partitions: 4, limits: { maxRows: 1000 }, ...pipeline }]))
  await transport.topics.create(topic, { partitions: 4, replication: 1 })
  const environment = {
    KAFKA_BROKERS: kafka.found.brokers.join(),
    KAFKA_SESSION_TIMEOUT_MS: '3000',
    CLICKHOUSE_URL: clickhouse.url,
    CLICKHOUSE_DATABASE: name,
    CLICKHOUSE_USER: clickhouse.owner.username,
    CLICKHOUSE_PASSWORD: clickhouse.owner.password,
    DATABASE_URL: postgres.url,
    PIPELINES_FILE: file,
  }
  return { topic, environment }
}

/** One in which nobody is killed: a busy machine is given the time that it needs, and nobody is taken for dead. */
async function steadyWorld(context: TestContext): ReturnType<typeof world> {
  const { topic, environment } = await world(context)
  return { topic, environment: { ...environment, KAFKA_SESSION_TIMEOUT_MS: '30000' } }
}

function start(environment: Record<string, string>): IngestorProcess {
  const child = startCommand(['run'], environment)
  running.push(child)
  return child
}

const event = (id: number): string => (id % 100 === 99 ? '{"id":' : JSON.stringify({ id, time: new Date(Date.UTC(2026, 0, 1) + id * 1000).toISOString(), city: 'Oslo' }))

async function send(topic: string, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1000) await transport.send(topic, Array.from({ length: Math.min(1000, to - at) }, (_, index) => ({ key: String(at + index), value: event(at + index) })))
}

/** Waits until nothing is left to do. */
async function drained(environment: Record<string, string>): Promise<void> {
  await expect.poll(async () => (await runHere(['lag', '--max', '0'], environment)).code, { interval: 100 }).toBe(0)
}

describe.each(['kafkajs', 'platformatic'])('ingestors by %s', (library) => {
  it('are whole after kills at any moment', async (context) => {
    const { topic, environment } = await world(context)
    const own = { ...environment, KAFKA_TRANSPORT: library }
    let isSending = true
    const sending = (async () => {
      let at = 0
      for (; isSending || at < 6000; at += 200) {
        await send(topic, at, at + 200)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return at
    })()
    try {
      await ready(start(own))
      for (let kill = 0; kill < 3; kill++) {
        const next = start(own)
        await next.serving
        await new Promise((resolve) => setTimeout(resolve, 200 + 300 * kill))
        running[running.length - 2]?.kill('SIGKILL')
      }
    } finally {
      isSending = false
    }
    const sent = await sending
    await drained(own)

    const { code, output } = await runHere(['verify', '--deep', '--json'], own)
    expect(output).not.toMatch(/"finding"/)
    expect(code).toBe(0)
    const records = [...output.matchAll(/"records":(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0)
    expect(records).toBe(sent)
  })
})

describe('ingestors on Apache Kafka', () => {
  it('stop in the middle of a stream in time, with exit code 0 and nothing to do again', async (context) => {
    const { topic, environment } = await steadyWorld(context)
    await send(topic, 0, 30_000)
    for (let stop = 0; stop < 3; stop++) {
      const child = start(environment)
      await ready(child)
      await new Promise((resolve) => setTimeout(resolve, 100 + stop * 150))
      child.kill('SIGTERM')

      // What takes longer than its deadline for a stop ends with another code.
      expect(await child.exited).toBe(0)
      const { output } = await runHere(['lag', '--json'], environment)
      expect(output).toMatch(/"inFlight":null/)
      expect(output).not.toMatch(/"inFlight":\{/)
      // What a former owner left would be said here.
      expect(child.output()).not.toContain('repeating the slice')
    }
    const last = start(environment)
    await drained(environment)

    expect(last.output()).not.toContain('repeating the slice')
    expect((await runHere(['verify'], environment)).code).toBe(0)
  })

  it('share the partitions of a group, take over from each other and lose nothing: one, four, one', async (context) => {
    const { topic, environment } = await steadyWorld(context)
    const first = start(environment)
    await ready(first)
    let isSending = true
    const sending = (async () => {
      let at = 0
      for (; isSending; at += 200) {
        await send(topic, at, at + 200)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return at
    })()
    const others = [1, 2, 3].map(() => start(environment))
    const addresses = await Promise.all([first, ...others].map((child) => ready(child)))
    await expect
      .poll(async () => (await Promise.all(addresses.map(async (address) => ((await (await fetch(`${address}/pipelines`)).json()) as { pipelines: { partitions: unknown[] }[] }).pipelines[0]?.partitions.length))).sort())
      .toEqual([1, 1, 1, 1])
    for (const child of others) child.kill('SIGTERM')
    expect(await Promise.all(others.map((child) => child.exited))).toEqual([0, 0, 0])
    isSending = false
    const sent = await sending
    await drained(environment)

    expect(await privateMemoryMb(first.pid)).toBeLessThan(150)
    const { code, output } = await runHere(['verify', '--json'], environment)
    expect(code).toBe(0)
    expect([...output.matchAll(/"records":(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0)).toBe(sent)
    for (const child of [first, ...others]) expect(child.output()).not.toContain('repeating the slice')
  })

  it('need no PostgreSQL where no pipeline writes to it', async (context) => {
    const { topic, environment } = await world(context, { sinks: ['clickhouse'] })
    const { DATABASE_URL: _unused, ...own } = environment
    await send(topic, 0, 3000)
    const child = start(own)
    await ready(child)
    await drained(own)

    expect((await runHere(['verify', '--deep'], own)).code).toBe(0)
  })
})

describe('commands on Apache Kafka', () => {
  it('check tells what is missing, what differs, and is content after a start', async (context) => {
    const { topic, environment } = await world(context)
    const before = await runHere(['check'], environment)
    expect(before.output).toMatch(/ClickHouse table \S+ +is not there/)

    const child = start(environment)
    await ready(child)
    child.kill('SIGTERM')
    await child.exited
    const after = await runHere(['check', '--json'], environment)
    const { results } = JSON.parse(after.output) as { results: { about: string; level: string; detail: string }[] }
    expect(results.filter(({ level, about }) => level === 'wrong' && about.includes(topic))).toEqual([])

    await writeFile(environment.PIPELINES_FILE as string, JSON.stringify([{ topic, fields: { id: 'string', time: 'timestamp', city: 'string', fare: 'decimal(8,2)' }, time: 'time', id: 'id', partitions: 8 }]))
    const drift = await runHere(['check'], environment)
    expect(drift.code).toBe(3)
    for (const found of [/has 4 partitions, declared are 8/, /column id is Int64, declared is String/, /column id is bigint, declared is text/, /lacks the column fare/]) expect(drift.output).toMatch(found)
  })

  it.each<[string, string[], Record<string, string>, number, RegExp]>([
    ['an unknown command', ['nope'], {}, 2, /there is no command "nope"/],
    ['an unknown option', ['lag', '--nope'], {}, 2, /--help lists the options/],
    ['a broker that is not there', ['lag'], { KAFKA_BROKERS: '127.0.0.1:1' }, 1, /127\.0\.0\.1:1/],
    ['no broker at all', ['run'], { KAFKA_BROKERS: '' }, 2, /set KAFKA_BROKERS=host:port, or BROKER_DIR/],
    ['a store that is not named', ['run'], { CLICKHOUSE_URL: '' }, 2, /CLICKHOUSE_URL is missing/],
    ['an unknown pipeline', ['verify', '--pipeline', 'nope'], {}, 2, /there is no pipeline "nope"/],
  ])('end with one line about %s', async (_name, args, changes, code, message) => {
    const file = join(folder ?? tmpdir(), 'any.json')
    await writeFile(file, JSON.stringify([{ topic: 'any', fields: { id: 'int64', time: 'timestamp' }, time: 'time' }]))
    const environment = { KAFKA_BROKERS: '127.0.0.1:9', CLICKHOUSE_URL: clickhouse.url, CLICKHOUSE_USER: clickhouse.owner.username, CLICKHOUSE_PASSWORD: clickhouse.owner.password, DATABASE_URL: inject('postgres').url, PIPELINES_FILE: file, ...changes }
    const ended = await runCommand(args, environment)

    expect(ended.output.trim().split('\n')).toHaveLength(1)
    expect(ended.output).toMatch(message)
    expect(ended.code).toBe(code)
  })
})
