import { afterAll, beforeAll, expect, it } from 'vitest'
import { readiness, ready } from './ingestor-process.ts'
import { type IngestorWorld, openWorld, worldOf } from './ingestor-world.ts'

interface SeenPipeline {
  readonly state: string
  readonly stored: number
  readonly reason: string | null
}

let opened: IngestorWorld | null
beforeAll(async () => {
  opened = await openWorld()
})
afterAll(() => opened?.close())

const event = (id: number): string => JSON.stringify({ id, time: '2026-01-01T00:00:00Z' })

async function seen(address: string): Promise<SeenPipeline> {
  const { pipelines } = (await (await fetch(`${address}/pipelines`)).json()) as { pipelines: SeenPipeline[] }
  return pipelines[0] as SeenPipeline
}

it.for<[string, number, { status: number; pipeline: object }]>([
  ['goes on by itself where nothing of the old one is stored', 0, { status: 200, pipeline: { state: 'running', stored: 50, reason: null } }],
  ['halts where rows of the old one are stored', 50, { status: 503, pipeline: { state: 'halted', reason: expect.stringContaining('of an earlier topic of that name') as string } }],
])('a topic that is deleted under a running ingestor makes it not ready and says so; made again, it %s', async ([_what, before, after], context) => {
  const { transport, environment, newTopic, file, start } = worldOf(opened, context)
  const topic = newTopic()
  const fields = { id: 'int64', time: 'timestamp' }
  await transport.topics.create(topic, { partitions: 2 })
  const ingestor = start({ ...environment, PIPELINES_FILE: await file(`${topic}.json`, [{ topic, fields, time: 'time', id: 'id', partitions: 2 }]) })
  const address = await ready(ingestor)
  const send = (count: number) => transport.send(topic, Array.from({ length: count }, (_, id) => ({ key: String(id), value: event(id) })))
  if (before > 0) await send(before)
  await expect.poll(() => seen(address)).toMatchObject({ state: 'running', stored: before })

  await transport.topics.delete(topic)
  await expect.poll(() => readiness(address)).toBe(503)
  expect(await seen(address)).toMatchObject({ state: 'paused', reason: expect.stringContaining(`topic "${topic}" is gone`) as string })
  await transport.topics.create(topic, { partitions: 2 })
  await send(50)

  await expect.poll(() => seen(address)).toMatchObject(after.pipeline)
  await expect.poll(() => readiness(address)).toBe(after.status)
})
