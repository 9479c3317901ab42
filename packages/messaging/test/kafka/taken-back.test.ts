import { randomUUID } from 'node:crypto'
import { afterEach, expect, inject, it } from 'vitest'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { createLagMonitor, createPipeline, definePipelines, type PipelineDefinition, progressOfGroup, readPipelineLag } from '../../src/pipeline/index.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { until } from '../contract/subject.ts'

const STALL_MS = 800
const kafka = inject('kafka')
const open: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop()
})

it('is not called stuck, nor behind, where all that comes are transactions that are taken back; nor once records come again', async (context) => {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const topic = `taken-back.${randomUUID()}`
  const [definition] = definePipelines([{ topic, table: 'taken', fields: { id: 'int64', time: 'timestamp' }, time: 'time' }]) as [PipelineDefinition]
  const transport: KafkaTransport = createPlatformaticTransport({ brokers: kafka.found.brokers })
  await transport.start()
  const pipeline = createPipeline({ definition, transport, stores: { clickhouse: null, timescaledb: null, ledger: null } })
  await pipeline.start()
  const monitor = createLagMonitor({ pipelines: [pipeline], transport, stallMs: STALL_MS, intervalMs: 100 })
  await monitor.start()
  open.push(transport, pipeline, monitor)
  const health = () => monitor.probes[0]?.check({ signal: new AbortController().signal })
  const lag = async () => (await readPipelineLag({ definition, transport, progress: progressOfGroup(transport) })).total
  const event = { value: '{"id":1,"time":"2026-01-01T00:00:00Z"}', partition: 0 }
  await transport.send(topic, [event])
  await until('it is stored', async () => (await transport.groupLag(pipeline.groupId, topic))[0]?.committed === 1n)

  const producer = await transport.transactional(randomUUID())
  const begun = performance.now()
  for (let takenBack = 0; takenBack < 5 || performance.now() - begun < 3 * STALL_MS; takenBack++) {
    const transaction = await producer.begin()
    await transaction.send(topic, [event, event])
    await transaction.abort()
    expect(await health()).toEqual({ status: 'up' })
  }
  await producer.close()

  const [before] = await transport.groupLag(pipeline.groupId, topic)
  expect(before?.committed).toBe(1n)
  expect(before?.latest).toBeGreaterThan(10n)
  expect(await lag()).toBe(0n)
  expect(await pipeline.lag()).toBe(0)
  await expect.poll(() => monitor.lags.get(definition.name)).toBe(0)
  await transport.send(topic, [event])
  await until('the next one is stored', async () => (await transport.groupLag(pipeline.groupId, topic))[0]?.committed === (before?.latest ?? 0n) + 1n)
  expect(await lag()).toBe(0n)
  expect(await health()).toEqual({ status: 'up' })
})
