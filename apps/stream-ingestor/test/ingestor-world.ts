import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject, type TestContext } from 'vitest'
import { type ClickHouseAdapter, createAdapter } from '@smart-whale/clickhouse'
import type { MessagingTransport } from '@smart-whale/messaging'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import { createTimescaleAdapter, type TimescaleStorage } from '@smart-whale/timescaledb'
import type { TestKafka } from '../../../tools/engines/kafka.ts'
import { type FreshDatabase, freshDatabase } from '../../../tools/engines/fresh-database.ts'
import { type IngestorProcess, startCommand } from './ingestor-process.ts'

/** Apache Kafka and databases of its own in both stores, for ingestors that run as processes. */
export interface IngestorWorld {
  readonly kafka: TestKafka
  readonly transport: MessagingTransport
  readonly clickhouse: ClickHouseAdapter
  readonly timescaledb: TimescaleStorage
  /** What an ingestor is told of all of it but its pipelines. */
  readonly environment: Readonly<Record<string, string>>
  /** A name for a topic that nobody else has; the topic and its dead letters go with the world. */
  newTopic(): string
  /** Writes a file into the world's folder, and tells where it lies. */
  file(name: string, content: unknown): Promise<string>
  /** Starts `run`; it ends with the world. */
  start(environment: Readonly<Record<string, string>>): IngestorProcess
  close(): Promise<void>
}

/** Builds a world, or null where there is no Kafka. */
export async function openWorld(): Promise<IngestorWorld | null> {
  const kafka = inject('kafka')
  if (kafka.found === null) return null
  const name = `test_n_${randomBytes(6).toString('hex')}`
  const { url, owner } = inject('clickhouse')
  const login = { url, user: owner.username, password: owner.password }
  const server = createAdapter({ ...login, database: 'default' })
  await server.execute(`CREATE DATABASE ${name}`)
  const database: FreshDatabase = await freshDatabase(inject('postgres'))
  const clickhouse = createAdapter({ ...login, database: name })
  const timescaledb = createTimescaleAdapter({ url: database.url })
  await timescaledb.connect()
  const transport = createPlatformaticTransport({ brokers: kafka.found.brokers })
  await transport.start()
  const folder = await mkdtemp(join(tmpdir(), 'smart-whale-world-'))
  const running: IngestorProcess[] = []
  const removeTopics = async (): Promise<void> => {
    for (const topic of await transport.topics.list()) if (topic.startsWith(name)) await transport.topics.delete(topic)
  }
  return {
    kafka: kafka.found,
    transport,
    clickhouse,
    timescaledb,
    environment: {
      KAFKA_BROKERS: kafka.found.brokers.join(),
      KAFKA_SESSION_TIMEOUT_MS: '6000',
      CLICKHOUSE_URL: url,
      CLICKHOUSE_DATABASE: name,
      CLICKHOUSE_USER: owner.username,
      CLICKHOUSE_PASSWORD: owner.password,
      DATABASE_URL: database.url,
    },
    newTopic: () => `${name}_${randomBytes(3).toString('hex')}`,
    file: async (called, content) => {
      const path = join(folder, called)
      await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
      return path
    },
    start: (environment) => {
      const child = startCommand(['run'], environment)
      running.push(child)
      return child
    },
    close: async () => {
      for (const child of running) child.kill('SIGKILL')
      await Promise.all(running.map((child) => child.exited))
      await removeTopics()
      await Promise.all([transport.stop(), clickhouse.close(), timescaledb.disconnect()])
      await server.execute(`DROP DATABASE ${name} SYNC`)
      await server.close()
      await database.drop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The world, or a test that is passed over by name. */
export function worldOf(world: IngestorWorld | null, context: TestContext): IngestorWorld {
  if (world !== null) return world
  const kafka = inject('kafka')
  return context.skip(`needs Apache Kafka: ${kafka.found === null ? kafka.remedy : ''}`)
}

