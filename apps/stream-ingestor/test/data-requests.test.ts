import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lifecycle } from '@smart-whale/interfaces'
import { silentLogger } from '@smart-whale/interfaces'
import { createDataRequest, type DataResponse, DataType, KafkaService, OperationType } from '@smart-whale/messaging'
import { definePipelines, encodeFreshnessToken, type PipelineInput } from '@smart-whale/messaging/pipeline'
import { createRequestServer } from '../src/create-request-server.ts'
import { type IngestorBench, startIngestorBench } from './ingestor-bench.ts'

const FIELDS = { id: 'int64', time: 'timestamp', city: 'string', fare: 'decimal(8,2)', tip: 'decimal(8,2)?' } as const
const PIPELINES: PipelineInput[] = [
  { topic: 'rides', fields: FIELDS, time: 'time', id: 'id', partitions: 2 },
  { topic: 'clicks', fields: FIELDS, time: 'time', id: 'id', partitions: 2, sinks: ['clickhouse'] },
]
const ROWS = 25

let bench: IngestorBench
let server: Lifecycle
let service: KafkaService

/** Three rows share each second, so that a cursor has to tell them apart. */
const event = (id: number): string => JSON.stringify({ id, time: new Date(Date.UTC(2026, 0, 1) + Math.floor(id / 3) * 1000).toISOString(), city: id % 2 === 0 ? 'Oslo' : 'Bergen', fare: '1.50', ...(id === 7 ? { tip: '0.50' } : {}) })

beforeEach(async () => {
  bench = await startIngestorBench(PIPELINES)
  const { transport, clickhouse, timescaledb, ingestor } = bench
  server = createRequestServer({ definitions: definePipelines(PIPELINES), transport, clickhouse, timescaledb, groupId: 'answers', freshness: ingestor.freshness, logger: silentLogger })
  await server.start()
  service = new KafkaService(transport, { manageTransport: false })
  await service.connect()
})

afterEach(async () => {
  await service.disconnect()
  await server.stop()
  await bench.close()
})

async function ask(parameters: Record<string, string | number | object>, operation: OperationType = OperationType.FETCH_DATA): Promise<DataResponse['payload']> {
  return (await service.request(createDataRequest({ operation, modelId: 'm', dataType: DataType.STRUCTURED, parameters: parameters as never }), { timeout: 20_000 })).payload
}

/** Sends the events of a topic; the token stands for all of them. */
async function send(topic: string): Promise<string> {
  const positions = await bench.transport.send(topic, Array.from({ length: ROWS }, (_, id) => ({ value: event(id), partition: id % 2 })))
  const topicId = (await bench.transport.topics.describe(topic))?.id ?? ''
  return encodeFreshnessToken({ pipeline: topic, topic, topicId, offsets: new Map(positions.map(({ partition, offset }) => [partition, offset])) })
}

describe.each(['rides', 'clicks'])('requests for rows of %s', (table) => {
  it('are answered page by page, each row once, by time', async () => {
    const token = await send(table)
    for (const order of ['asc', 'desc']) {
      const ids: string[] = []
      let cursor: string | null | undefined
      for (let page = 0; page === 0 || typeof cursor === 'string'; page++) {
        const answer = await ask({ table, order, limit: 4, wait_for: token, ...(typeof cursor === 'string' ? { cursor } : {}) })
        expect(answer).toMatchObject({ status: 'success' })
        ids.push(...(answer.data as { id: string }[]).map(({ id }) => String(id)))
        cursor = answer.nextCursor
      }
      expect(new Set(ids).size).toBe(ROWS)
      const seconds = ids.map((id) => Math.floor(Number(id) / 3))
      expect(seconds).toEqual([...seconds].sort((a, b) => (order === 'asc' ? a - b : b - a)))
    }
  })

  it('take a span and a filter, with values and without', async () => {
    const token = await send(table)
    const inSpan = await ask({ table, start: '2026-01-01T00:00:01Z', end: '2026-01-01T00:00:03Z', wait_for: token })
    const inOslo = await ask({ table, filter: { city: 'Oslo' } }, OperationType.SEARCH_DATA)
    const withoutTip = await ask({ table, filter: { tip: null as never, city: 'Bergen' } }, OperationType.SEARCH_DATA)

    expect((inSpan.data as { id: string }[]).map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8])
    expect(inOslo.data).toHaveLength(13)
    expect(withoutTip.data).toHaveLength(11)
  })

  it('are refused for columns and cursors that are none', async () => {
    for (const wrong of [{ filter: { 'id"; drop table rides; --': 1 } }, { cursor: 'AAAA' }]) {
      expect(await ask({ table, ...wrong })).toMatchObject({ status: 'error', errorCode: 'invalid_request' })
    }
  })
})
