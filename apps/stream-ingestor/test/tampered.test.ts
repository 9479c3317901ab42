import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { type IngestorProcess, ready } from './ingestor-process.ts'
import { type IngestorWorld, openWorld, worldOf } from './ingestor-world.ts'
import { runHere } from './run-here.ts'

/*
 * What brokers and operators do to a pipeline's topic and group behind its back. Whatever it is, nothing is stored twice, and what
 * can't be stored any more is named.
 */

interface SeenPipeline {
  readonly state: string
  readonly reason: string | null
  readonly lost: readonly { readonly partition: number; readonly firstOffset: string; readonly lastOffset: string }[]
}

let opened: IngestorWorld | null
beforeAll(async () => {
  opened = await openWorld()
})
afterAll(() => opened?.close())

const event = (id: number): string => JSON.stringify({ id, time: '2026-01-01T00:00:00Z' })

/** A pipeline of one partition, and what may be done to it. */
async function pipeline(context: TestContext, sinks: readonly string[] = ['clickhouse', 'timescaledb']) {
  const world = worldOf(opened, context)
  const topic = world.newTopic()
  await world.transport.topics.create(topic, { partitions: 1, replication: 1 })
  const { DATABASE_URL = '', ...rest } = world.environment
  const file = await world.file(`${topic}.json`, [{ topic, fields: { id: 'int64', time: 'timestamp' }, time: 'time', id: 'id', partitions: 1, sinks, limits: { maxRows: 100 } }])
  const environment = { ...rest, ...(sinks.includes('timescaledb') ? { DATABASE_URL } : {}), PIPELINES_FILE: file }
  let running: IngestorProcess | null = null
  let address = ''
  const seen = async (): Promise<SeenPipeline> => ((await (await fetch(`${address}/pipelines`)).json()) as { pipelines: SeenPipeline[] }).pipelines[0] as SeenPipeline
  return {
    topic,
    world,
    seen,
    verify: () => runHere(['verify'], environment),
    send: (from: number, to: number) => world.transport.send(topic, Array.from({ length: to - from }, (_, index) => ({ value: event(from + index) }))),
    start: async (isReady = true) => {
      running = world.start(environment)
      address = await (isReady ? ready(running) : running.serving)
    },
    // The group's own offset may have been tampered with: the ledger says what is done.
    settled: () => expect.poll(async () => (await runHere(['lag', '--max', '0'], environment)).code, { interval: 200 }).toBe(0),
    stop: async () => {
      running?.kill('SIGTERM')
      expect(await running?.exited).toBe(0)
    },
    /** Event ids of each store in order. */
    ids: async (): Promise<string[][]> => {
      const inClickHouse = (await world.clickhouse.execute(`SELECT event_id FROM ${topic} ORDER BY toInt64(event_id)`)).rows
      const inPostgres = sinks.includes('timescaledb') ? [await world.timescaledb.execute(`select event_id from ${topic} order by event_id::bigint`)] : []
      return [inClickHouse, ...inPostgres].map((rows) => rows.map((row) => String(row['event_id'])))
    },
  }
}

const idsFrom = (...ranges: readonly (readonly [from: number, to: number])[]): string[] => ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, index) => String(from + index)))

async function asAdmin<T>({ kafka }: IngestorWorld, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({ clientId: 'tampering', bootstrapBrokers: [...kafka.brokers] })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}

const removeBefore = (world: IngestorWorld, topic: string, offset: bigint): Promise<unknown> => asAdmin(world, (admin) => admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset }] }] }))
const deleteGroup = (world: IngestorWorld, topic: string): Promise<unknown> => asAdmin(world, (admin) => admin.deleteGroups({ groups: [`smart-whale-${topic}`] }))
const setOffset = (world: IngestorWorld, topic: string, offset: bigint): Promise<unknown> =>
  asAdmin(world, (admin) => admin.alterConsumerGroupOffsets({ groupId: `smart-whale-${topic}`, topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset }] }] }))

describe.each([{ sinks: ['clickhouse', 'timescaledb'] }, { sinks: ['clickhouse'] }])('a pipeline into $sinks', ({ sinks }) => {
  it('names what retention took before it was stored, goes on behind it, and stays named by verify', async (context) => {
    const { topic, world, seen, send, start, stop, settled, ids, verify } = await pipeline(context, sinks)
    await start()
    await send(0, 200)
    await settled()
    await stop()
    await send(200, 500)
    await removeBefore(world, topic, 350n)

    const beforeStart = await verify()
    expect(beforeStart).toMatchObject({ code: 3, output: expect.stringMatching(new RegExp(`lost-to-retention +topic +${topic}, partition 0, offsets 200 to 349 \\(150\\)`)) as string })
    await start()
    await settled()
    expect((await seen()).lost).toEqual([expect.objectContaining({ partition: 0, firstOffset: '200', lastOffset: '349' })])
    for (const stored of await ids()) expect(stored).toEqual(idsFrom([0, 200], [350, 500]))
    await stop()
  })

})

it.for([
  { what: 'the group’s offset is set back', sinks: ['clickhouse', 'timescaledb'], tamper: (world: IngestorWorld, topic: string) => setOffset(world, topic, 120n) },
  { what: 'the group’s offset is set back', sinks: ['clickhouse'], tamper: (world: IngestorWorld, topic: string) => setOffset(world, topic, 120n) },
  // Its ledger is in PostgreSQL.
  { what: 'the group is deleted', sinks: ['clickhouse', 'timescaledb'], tamper: deleteGroup },
])('stores nothing twice, and loses nothing, when $what: $sinks', async ({ sinks, tamper }, context) => {
  const { topic, world, send, start, stop, settled, ids, verify } = await pipeline(context, sinks)
  await start()
  await send(0, 300)
  await settled()
  await stop()
  await tamper(world, topic)
  await start()
  await send(300, 400)
  await settled()
  await stop()

  for (const stored of await ids()) expect(stored).toEqual(idsFrom([0, 400]))
  expect(await verify()).toMatchObject({ code: 0 })
})

it('halts when the group that keeps its ledger is deleted, says where to go on, and does', async (context) => {
  const { topic, world, seen, send, start, stop, settled, ids, verify } = await pipeline(context, ['clickhouse'])
  await start()
  await send(0, 300)
  await settled()
  await stop()
  await deleteGroup(world, topic)
  await start(false)
  await expect.poll(seen).toMatchObject({ state: 'halted', reason: expect.stringMatching(/the ledger knows nothing of partition 0 .*ClickHouse has its rows up to offset 299.*set the group’s offset there/) as string })
  await stop()

  await setOffset(world, topic, 300n)
  await start()
  await send(300, 400)
  await settled()
  await stop()
  for (const stored of await ids()) expect(stored).toEqual(idsFrom([0, 400]))
  expect(await verify()).toMatchObject({ code: 0 })
})

it('stores what transactions commit, and nothing of what they take back', async (context) => {
  const { topic, world, send, start, stop, settled, ids, verify } = await pipeline(context)
  await start()
  const producer = await world.transport.transactional(`tampered-${topic}`)
  for (let round = 0; round < 6; round++) {
    const transaction = await producer.begin()
    await transaction.send(topic, Array.from({ length: 50 }, (_, index) => ({ value: event(round * 50 + index) })))
    await (round % 2 === 0 ? transaction.commit() : transaction.abort())
  }
  await producer.close()
  await send(300, 320)
  await settled()
  await stop()

  for (const stored of await ids()) expect(stored).toEqual(idsFrom([0, 50], [100, 150], [200, 250], [300, 320]))
  expect(await verify()).toMatchObject({ code: 0 })
})

it('is not said to lag once its ledger says that all is done, though the group’s offset was set back', async (context) => {
  const { topic, world, seen, send, start, stop, settled } = await pipeline(context)
  await start()
  await send(0, 300)
  await settled()
  await stop()
  await setOffset(world, topic, 0n)
  await start()

  await expect.poll(seen).toMatchObject({ state: 'running', lag: 0 })
})
