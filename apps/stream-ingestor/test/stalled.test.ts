import { afterAll, beforeAll, expect, it } from 'vitest'
import { readiness, ready } from './ingestor-process.ts'
import { type IngestorWorld, openWorld, worldOf } from './ingestor-world.ts'

let opened: IngestorWorld | null
beforeAll(async () => {
  opened = await openWorld()
})
afterAll(() => opened?.close())

const event = (id: number): string => JSON.stringify({ id, time: '2026-01-01T00:00:00Z' })

it('a partition that stands still while more keeps coming makes the worker not ready, says which and where, and is ready again once it moves', async (context) => {
  const { transport, timescaledb, environment, newTopic, file, start } = worldOf(opened, context)
  const topic = newTopic()
  await transport.topics.create(topic, { partitions: 2 })
  const pipelines = await file(`${topic}.json`, [{ topic, fields: { id: 'int64', time: 'timestamp' }, time: 'time', id: 'id', partitions: 2 }])
  const ingestor = start({ ...environment, STALL_SECONDS: '2', PIPELINES_FILE: pipelines })
  const address = await ready(ingestor)
  let sent = 0
  const send = async (partition: number): Promise<void> => void (await transport.send(topic, Array.from({ length: 10 }, () => ({ partition, value: event(sent++) }))))
  const stored = async (): Promise<number> => Number((await timescaledb.execute(`select count(*)::int as n from "${topic}"`))[0]?.['n'])
  await send(1)
  await expect.poll(stored).toBe(10)

  // Nothing fails: the store only takes its time.
  const locking = await timescaledb.beginTransaction()
  await locking.execute(`lock table "${topic}" in access exclusive mode`)
  await expect
    .poll(
      async () => {
        await send(1)
        return readiness(address)
      },
      { interval: 300 },
    )
    .toBe(503)
  await expect.poll(ingestor.output).toMatch(/"stalled":\["partition 1 is at offset 10 for [^"]+ records behind"\]/)
  await locking.rollback()

  await expect.poll(() => readiness(address)).toBe(200)
  await expect.poll(stored).toBe(sent)
})
