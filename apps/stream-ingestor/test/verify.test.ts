import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createStoredRows as clickhouseRows } from '@smart-whale/clickhouse'
import { deadLetterRecord, deadLetterTopic } from '@smart-whale/messaging'
import { definePipelines, type PipelineDefinition, type PipelineInput, type VerifyFinding, type VerifyOptions, verifyPipeline } from '@smart-whale/messaging/pipeline'
import { createIngestLedger, createStoredRows as timescaleRows } from '@smart-whale/timescaledb'
import { type IngestorBench, startIngestorBench } from './ingestor-bench.ts'

const FIELDS = { id: 'int64', time: 'timestamp', city: 'string', fare: 'decimal(8,2)', share: 'float64', is_paid: 'boolean', day: 'date', trip: 'uuid', more: 'json', tip: 'decimal(8,2)?' }
const RIDES: PipelineInput = { topic: 'rides', fields: FIELDS, time: 'time', id: 'id', partitions: 2 }
const [DEFINITION] = definePipelines([RIDES]) as [PipelineDefinition]
const BAD = [17, 40, 41]

const ride = (id: number): string =>
  JSON.stringify({
    id,
    time: new Date(Date.UTC(2026, 0, 1) + id * 1000).toISOString(),
    city: `O'slo "${id}" 🐳`,
    fare: id % 2 === 0 ? '10.50' : 7,
    share: [0.1, 1e100, -1e-7, 3, 123456789.5][id % 5],
    is_paid: id % 3 === 0,
    day: '2026-01-31',
    trip: 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
    more: { b: [1, 2.5], a: { z: null, y: 'x' } },
    ...(id % 4 === 0 ? { tip: '0.10' } : {}),
  })

let bench: IngestorBench

beforeEach(async () => {
  bench = await startIngestorBench([RIDES])
  await bench.transport.send('rides', Array.from({ length: 1000 }, (_, id) => ({ value: BAD.includes(id) ? `{"id":${id},` : ride(id), partition: id % 2 })))
  await expect.poll(async () => (await bench.ingestor.status()).pipelines[0]?.lag, { interval: 50 }).toBe(0)
})

afterEach(() => bench.close())

async function verify(options: Partial<VerifyOptions> = {}): Promise<string[]> {
  const findings: VerifyFinding[] = []
  const stores: VerifyOptions['stores'] = new Map([
    ['clickhouse', clickhouseRows(bench.clickhouse, 'rides')] as const,
    ['timescaledb', timescaleRows(bench.timescaledb, 'rides')] as const,
  ])
  const report = await verifyPipeline({ definition: DEFINITION, transport: bench.transport, ledger: createIngestLedger(bench.timescaledb), stores, rangeSize: 128, onFinding: (finding) => findings.push(finding), ...options })
  expect(report.isWhole).toBe(findings.length === 0)
  return findings.map(({ kind, place, partition, firstOffset, lastOffset, detail }) => `${kind} ${place} ${partition}:${firstOffset}-${lastOffset}${detail === null ? '' : ` ${detail}`}`)
}

const clickhouse = (sql: string): Promise<unknown> => bench.clickhouse.execute(sql.startsWith('ALTER') ? `${sql} SETTINGS mutations_sync = 2` : sql)
const timescaledb = (sql: string): Promise<unknown> => bench.timescaledb.execute(sql)

describe('verify on real stores', () => {
  it('finds nothing where nothing is wrong, content included', async () => {
    expect(await verify({ deep: true })).toEqual([])
  })

  it('names what was taken out, put in twice, changed, and what should be dead', async () => {
    await clickhouse('ALTER TABLE rides DELETE WHERE source_partition = 1 AND source_offset BETWEEN 100 AND 199')
    await clickhouse('INSERT INTO rides SELECT * FROM rides WHERE source_partition = 0 AND source_offset = 5')
    await timescaledb('delete from rides where source_partition = 0 and source_offset = 300')
    await timescaledb('insert into rides select * from rides where source_partition = 1 and source_offset = 250')
    // Records 17 and 41 are at offsets 8 and 20 of partition 1, record 40 at offset 20 of partition 0.
    await timescaledb('update rides set source_offset = 8 where source_partition = 1 and source_offset = 9')
    await timescaledb("update rides set city = 'Bergen' where source_partition = 0 and source_offset = 400")
    await clickhouse("ALTER TABLE rides UPDATE more = '{}' WHERE source_partition = 0 AND source_offset = 401")

    expect((await verify({ deep: true })).sort()).toEqual(
      [
        'missing clickhouse 1:100-199',
        'doubled clickhouse 0:5-5 2 times',
        'missing timescaledb 0:300-300',
        'doubled timescaledb 1:250-250 2 times',
        'should-be-dead timescaledb 1:8-8',
        'missing timescaledb 1:9-9',
        'different timescaledb 0:400-400 column "city"',
        'different clickhouse 0:401-401 column "more"',
      ].sort(),
    )
  })

  it('names a letter that is also stored, and a letter that is gone', async () => {
    const origin = { topic: 'rides', partition: 0, offset: 77n, key: null, value: Buffer.from('x'), headers: {}, timestamp: 0 }
    await bench.transport.send(deadLetterTopic('rides'), [deadLetterRecord(origin, { code: 'invalid', message: 'planted' })])

    expect(await verify()).toEqual(['stored-and-dead clickhouse 0:77-77', 'stored-and-dead timescaledb 0:77-77'])

    await bench.transport.topics.delete(deadLetterTopic('rides'))
    expect(await verify()).toEqual(['missing dead-letters 0:20-20', 'missing dead-letters 1:8-8', 'missing dead-letters 1:20-20'])
  })

  it('names rows that nobody accounts for', async () => {
    await clickhouse('INSERT INTO rides SELECT * REPLACE (toInt64(9000) AS source_offset) FROM (SELECT * FROM rides WHERE source_partition = 0 AND source_offset = 5)')
    await timescaledb('insert into rides select id, time, city, fare, share, is_paid, day, trip, more, tip, event_id, source_topic, 7, source_offset from rides where source_partition = 0 and source_offset = 5')

    expect(await verify()).toEqual(['ahead-of-ledger clickhouse 0:9000-9000', 'not-in-topic timescaledb 7:5-5 the topic has no such partition'])
  })

  it('works beside a pipeline that runs', async () => {
    const sending = (async () => {
      for (let batch = 0; batch < 20; batch++) await bench.transport.send('rides', Array.from({ length: 500 }, (_, index) => ({ value: ride(1000 + batch * 500 + index), partition: index % 2 })))
    })()
    for (let round = 0; round < 5; round++) expect(await verify()).toEqual([])
    await sending
  })
})
