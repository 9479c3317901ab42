import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, inject, it, type TestContext } from 'vitest'
import { createAdapter, createBatchWriter } from '@smart-whale/clickhouse'
import { type MessagingTransport, readDeadLetters } from '@smart-whale/messaging'
import { createMemoryTransport } from '@smart-whale/messaging/memory'
import { createPipeline, definePipelines, type IngestRow, type Pipeline, type PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import { createCuttableProxy } from '../../../tools/engines/cuttable-proxy.ts'
import { prepareTables } from '../src/prepare-tables.ts'

type Broker = 'the memory broker' | 'Apache Kafka'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Clients of one broker: each call is another process's. */
async function brokerOf(kind: Broker, context: TestContext): Promise<() => Promise<MessagingTransport>> {
  if (kind === 'the memory broker') {
    const transport = createMemoryTransport()
    await transport.start()
    cleanups.push(() => transport.stop())
    return async () => transport
  }
  const kafka = inject('kafka')
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const { brokers } = kafka.found
  return async () => {
    const transport = createPlatformaticTransport({ brokers, sessionTimeoutMs: 6000 })
    await transport.start()
    cleanups.push(() => transport.stop())
    return transport
  }
}

const EVENTS = 6000
const isBad = (id: number): boolean => id % 97 === 0
const eventOf = (id: number): { value: string; partition: number } => ({ value: isBad(id) ? `{"id":${id}` : JSON.stringify({ id, time: new Date(Date.UTC(2026, 0, 1) + id * 1000).toISOString() }), partition: id % 2 })

describe.each(['the memory broker', 'Apache Kafka'] as const)('a pipeline with ClickHouse alone, its ledger with the group of %s', (kind) => {
  it('stores each event once and sends each dead letter once, while its workers come and go and ClickHouse is cut off', async (context) => {
    const client = await brokerOf(kind, context)
    const topic = `alone_${randomUUID().slice(0, 8)}`
    const definition = definePipelines([{ topic, fields: { id: 'int64', time: 'timestamp' }, time: 'time', id: 'id', partitions: 2, sinks: ['clickhouse'], limits: { maxRows: 200, maxAgeMs: 20 } }])[0] as PipelineDefinition
    const { url, owner } = inject('clickhouse')
    const line = await createCuttableProxy(Number(new URL(url).port))
    cleanups.push(() => line.close())
    const direct = createAdapter({ url, user: owner.username, password: owner.password, database: 'default' })
    await direct.execute(`CREATE DATABASE ${topic}`)
    cleanups.push(async () => {
      await direct.execute(`DROP DATABASE ${topic} SYNC`)
      await direct.close()
    })
    const open = () => {
      const adapter = createAdapter({ host: '127.0.0.1', port: line.port, user: owner.username, password: owner.password, database: topic })
      cleanups.push(() => adapter.close())
      return adapter
    }
    await prepareTables(definition, { clickhouse: open(), timescaledb: null }, undefined)
    const worker = async (): Promise<Pipeline> => {
      const pipeline = createPipeline({ definition, transport: await client(), stores: { clickhouse: createBatchWriter<IngestRow>(open(), definition.table), timescaledb: null, ledger: null }, graceMs: 50 })
      await pipeline.start()
      cleanups.push(() => pipeline.stop())
      return pipeline
    }

    let workers = [await worker(), await worker()]
    const producer = await client()
    for (let sent = 0; sent < EVENTS; sent += EVENTS / 6) {
      await producer.send(topic, Array.from({ length: EVENTS / 6 }, (_value, index) => eventOf(sent + index)))
      // Grace ends in the middle of a slice, and the line breaks in the middle of an insert.
      line.cut()
      await workers[0]?.stop()
      line.mend()
      workers = [...workers.slice(1), await worker()]
    }
    await expect.poll(async () => (await workers[0]?.lag()) ?? -1, { interval: 100 }).toBe(0)

    const { rows } = await direct.execute(`SELECT toString(id) AS text FROM ${topic}.${definition.table} ORDER BY id`)
    expect(rows.map((row) => row['text'])).toEqual(Array.from({ length: EVENTS }, (_value, id) => id).filter((id) => !isBad(id)).map(String))
    const letters: string[] = []
    for await (const letter of readDeadLetters(producer, topic)) letters.push(Buffer.from(letter.value ?? []).toString())
    expect(letters.sort()).toEqual(Array.from({ length: EVENTS }, (_value, id) => id).filter(isBad).map((id) => `{"id":${id}`).sort())
    expect(workers.map((each) => each.status().state)).toEqual(['running', 'running'])
  })
})
