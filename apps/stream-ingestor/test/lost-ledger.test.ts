import { afterEach, describe, expect, it } from 'vitest'
import { type Row, silentLogger, silentMetrics } from '@smart-whale/interfaces'
import { definePipelines, type PipelineInput } from '@smart-whale/messaging/pipeline'
import { createIngestor, type Ingestor } from '../src/create-ingestor.ts'
import { type IngestorBench, startIngestorBench } from './ingestor-bench.ts'

const RIDES: PipelineInput = { topic: 'rides', fields: { id: 'int64', time: 'timestamp' }, time: 'time', id: 'id', partitions: 2 }

let bench: IngestorBench | null = null
const further: Ingestor[] = []

afterEach(async () => {
  for (const ingestor of further.splice(0)) await ingestor.stop()
  await bench?.close()
  bench = null
})

const isBad = (id: number): boolean => id % 50 === 49
const eventOf = (id: number): { partition: number; value: string } => ({ partition: id % 2, value: isBad(id) ? `{"id":${id}` : JSON.stringify({ id, time: new Date(Date.UTC(2026, 0, 1) + id * 1000).toISOString() }) })
const events = (from: number, to: number): ReturnType<typeof eventOf>[] => Array.from({ length: to - from }, (_, index) => eventOf(from + index))

async function start(running: IngestorBench, pipeline: PipelineInput): Promise<Ingestor> {
  const { transport, clickhouse, timescaledb } = running
  const ingestor = createIngestor({ definitions: definePipelines([pipeline]), transport, clickhouse, timescaledb, logger: silentLogger, metrics: silentMetrics })
  further.push(ingestor)
  await ingestor.start()
  return ingestor
}

/** An ingestor that has stored a thousand events, some of them bad ones, and was stopped. */
async function stopped(sinks: readonly ('clickhouse' | 'timescaledb')[]): Promise<{ running: IngestorBench; pipeline: PipelineInput }> {
  const pipeline = { ...RIDES, sinks: [...sinks] }
  bench = await startIngestorBench([pipeline])
  const running = bench
  await running.transport.send('rides', events(0, 1000))
  await settled(running.ingestor)
  await running.ingestor.stop()
  return { running, pipeline }
}

const settled = (ingestor: Ingestor): Promise<void> => expect.poll(async () => (await ingestor.status()).pipelines[0]?.lag, { interval: 50 }).toBe(0)
const reason = async (ingestor: Ingestor): Promise<string> => {
  await expect.poll(async () => (await ingestor.status()).pipelines[0]?.state, { interval: 50 }).toBe('halted')
  return (await ingestor.status()).pipelines[0]?.reason ?? ''
}

async function expectOnce(running: IngestorBench, sinks: readonly string[], until: number): Promise<void> {
  const good = Array.from({ length: until }, (_, id) => id).filter((id) => !isBad(id)).map(String)
  const ids = (rows: Row[]): string[] => rows.map((row) => String(row['event_id'])).sort((one, other) => Number(one) - Number(other))
  if (sinks.includes('timescaledb')) expect(ids(await running.timescaledb.execute('select event_id from rides'))).toEqual(good)
  if (sinks.includes('clickhouse')) expect(ids((await running.clickhouse.execute('SELECT event_id FROM rides')).rows)).toEqual(good)
  expect((await running.deadLetters('rides')).map(({ value }) => value?.toString()).sort()).toEqual(Array.from({ length: until }, (_, id) => id).filter(isBad).map((id) => `{"id":${id}`).sort())
}

describe.each([{ sinks: ['timescaledb'] as const }, { sinks: ['clickhouse', 'timescaledb'] as const }])('a pipeline into $sinks', ({ sinks }) => {
  it('halts when its ledger was lost, and goes on where the guide’s statement says, each event and letter once', async () => {
    const { running, pipeline } = await stopped(sinks)
    await running.timescaledb.execute('create table lost as select * from smart_whale_ingest_ledger')
    await running.timescaledb.execute('delete from smart_whale_ingest_ledger')

    const message = await reason(await start(running, pipeline))

    expect(message).toMatch(/the ledger knows nothing of partition \d of "rides" .*PostgreSQL has its rows up to offset \d+: .*the topic's id is .*have it go on at offset \d+/)
    const topicId = (await running.transport.topics.describe('rides'))?.id
    await running.timescaledb.execute(
      `insert into smart_whale_ingest_ledger (pipeline, topic_id, "partition", next_offset, epoch, owner)
       select 'rides', $1::text, source_partition, max(source_offset) + 1, 1, 'restored' from rides where source_topic = 'rides' group by source_partition`,
      [topicId],
    )
    await running.transport.send('rides', events(1000, 1200))
    await settled(await start(running, pipeline))
    await expectOnce(running, sinks, 1200)
  })

  it('halts when its ledger is older than the table, and goes on where the guide’s statement says', async () => {
    const { running, pipeline } = await stopped(sinks)
    await running.timescaledb.execute('update smart_whale_ingest_ledger set next_offset = 100')

    expect(await reason(await start(running, pipeline))).toMatch(/the ledger is older than the table: .*done up to offset 100 .*its rows up to \d+/)
    await running.timescaledb.execute(
      `update smart_whale_ingest_ledger l set first_offset = null, last_offset = null, token = null, excluded_offsets = null, next_offset = greatest(next_offset, s.next)
       from (select source_partition, max(source_offset) + 1 as next from rides where source_topic = 'rides' group by source_partition) s
       where l.pipeline = 'rides' and l."partition" = s.source_partition`,
    )
    await running.transport.send('rides', events(1000, 1200))
    await settled(await start(running, pipeline))
    await expectOnce(running, sinks, 1200)
  })

  it('halts when it was renamed, and goes on under its name', async () => {
    const { running, pipeline } = await stopped(sinks)

    expect(await reason(await start(running, { ...pipeline, name: 'trips' }))).toMatch(/take-over --from rides --pipeline trips/)
    await running.transport.send('rides', events(1000, 1200))
    await settled(await start(running, pipeline))
    await expectOnce(running, sinks, 1200)
  })

  it('halts when its topic was deleted and made again under its name', async () => {
    const { running, pipeline } = await stopped(sinks)
    await running.transport.topics.delete('rides')
    await running.transport.topics.create('rides', { partitions: 2 })

    expect(await reason(await start(running, pipeline))).toMatch(/has rows of partition \d of "rides" of an earlier topic of that name/)
  })
})
