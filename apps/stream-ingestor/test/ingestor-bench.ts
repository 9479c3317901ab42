import { inject } from 'vitest'
import { type ClickHouseAdapter, createAdapter } from '@smart-whale/clickhouse'
import { type Row, silentLogger, silentMetrics } from '@smart-whale/interfaces'
import { deadLetterTopic, type MessagingTransport, type RecordBatch } from '@smart-whale/messaging'
import { createMemoryTransport } from '@smart-whale/messaging/memory'
import { definePipelines, type PipelineInput } from '@smart-whale/messaging/pipeline'
import { createMigrationManager, createTimescaleAdapter, type TimescaleStorage } from '@smart-whale/timescaledb'
import { createCuttableProxy, type CuttableProxy } from '../../../tools/engines/cuttable-proxy.ts'
import { freshDatabase } from '../../../tools/engines/fresh-database.ts'
import { createIngestor, type Ingestor } from '../src/create-ingestor.ts'

/** An ingestor on real engines, each behind a line that can be cut. */
export interface IngestorBench {
  readonly clickhouse: ClickHouseAdapter
  readonly timescaledb: TimescaleStorage
  readonly transport: MessagingTransport
  readonly ingestor: Ingestor
  readonly lines: { readonly clickhouse: CuttableProxy; readonly timescaledb: CuttableProxy }
  /** All records of a topic's dead letters. */
  deadLetters(topic: string): Promise<{ value: Buffer | null; headers: Record<string, string> }[]>
  close(): Promise<void>
}

let benches = 0

/** Makes fresh databases in both engines, tables and running pipelines. `prepare` runs before the pipelines start. */
export async function startIngestorBench(pipelines: PipelineInput[], prepare: (bench: Pick<IngestorBench, 'clickhouse' | 'timescaledb'>) => Promise<void> = async () => {}): Promise<IngestorBench> {
  const name = `ingestor_${process.pid}_${++benches}`
  const { url, owner } = inject('clickhouse')
  const direct = createAdapter({ url, user: owner.username, password: owner.password, database: 'default' })
  await direct.execute(`CREATE DATABASE ${name}`)
  const database = await freshDatabase(inject('postgres'))
  const lines = { clickhouse: await createCuttableProxy(Number(new URL(url).port)), timescaledb: await createCuttableProxy(Number(new URL(database.url).port)) }
  const throughLine = new URL(database.url)
  throughLine.port = String(lines.timescaledb.port)
  const clickhouse = createAdapter({ host: '127.0.0.1', port: lines.clickhouse.port, user: owner.username, password: owner.password, database: name })
  const timescaledb = createTimescaleAdapter({ url: throughLine.href })
  await timescaledb.connect()
  await createMigrationManager(timescaledb).up()
  await prepare({ clickhouse, timescaledb })
  const transport = createMemoryTransport()
  await transport.start()
  const ingestor = createIngestor({ definitions: definePipelines(pipelines), transport, clickhouse, timescaledb, logger: silentLogger, metrics: silentMetrics })
  await ingestor.start()
  return {
    clickhouse,
    timescaledb,
    transport,
    ingestor,
    lines,
    deadLetters: (topic) => readAll(transport, deadLetterTopic(topic)),
    close: async () => {
      for (const line of Object.values(lines)) line.mend()
      await ingestor.stop()
      await transport.stop()
      await clickhouse.close()
      await timescaledb.disconnect()
      await direct.execute(`DROP DATABASE ${name} SYNC`)
      await direct.close()
      await Promise.all([lines.clickhouse.close(), lines.timescaledb.close()])
      await database.drop()
    },
  }
}

async function readAll(transport: MessagingTransport, topic: string): Promise<{ value: Buffer | null; headers: Record<string, string> }[]> {
  const reader = await transport.openPartition(topic, 0)
  try {
    const { latest } = await reader.bounds()
    const records: { value: Buffer | null; headers: Record<string, string> }[] = []
    while (BigInt(records.length) < latest) {
      const batch: RecordBatch = await reader.read({ maxBytes: 1_000_000, maxRecords: 1000, maxWaitMs: 1000 })
      for (let index = 0; index < batch.length; index++) {
        const value = batch.valueAt(index)
        const headers = Object.fromEntries(Object.entries(batch.headersAt(index)).map(([header, bytes]) => [header, Buffer.from(bytes).toString()]))
        records.push({ value: value === null ? null : Buffer.from(value), headers })
      }
    }
    return records
  } finally {
    await reader.close()
  }
}

/** Event ids that a store has, in order of their numbers. */
export async function storedIds(bench: Pick<IngestorBench, 'clickhouse' | 'timescaledb'>, table: string): Promise<{ clickhouse: string[]; timescaledb: string[] }> {
  const ids = (rows: Row[]): string[] => rows.map((row) => String(row.event_id)).sort((left, right) => Number(left) - Number(right))
  const { rows } = await bench.clickhouse.execute(`SELECT event_id FROM ${table}`)
  return { clickhouse: ids(rows), timescaledb: ids(await bench.timescaledb.execute(`select event_id from ${table}`)) }
}
