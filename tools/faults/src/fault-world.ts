import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJwkSet, generateSigningKeys } from '@smart-whale/core-security'
import type { MessagingTransport } from '@smart-whale/messaging'
import type { PipelineInput } from '@smart-whale/messaging/pipeline'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import { type KafkaCluster, type ManagedServer, startKafka, startManagedClickHouse, startManagedPostgres } from '../../services/src/index.ts'
import type { ClickHouseAddress } from './count-stored.ts'
import { EVENT_PIPELINE } from './event.ts'
import type { FaultRun } from './scenario.ts'

/** What an ingestor is started with. */
export type Environment = Readonly<Record<string, string>>

/** The engines of one run, and what ingestors are told of them. */
export interface FaultWorld {
  readonly kafka: Pick<KafkaCluster, 'brokers'>
  readonly clickhouse: ManagedServer & { readonly login: ClickHouseAddress }
  readonly postgres: ManagedServer
  readonly topic: string
  readonly table: string
  /** A name for a topic that no other run has. */
  topicNamed(name: string): string
  /** The environment of an ingestor that takes in {@link EVENT_PIPELINE}, with these variables otherwise. */
  environment(changes?: Environment): Environment
  /** The environment of an ingestor that takes in another pipeline. */
  environmentFor(pipeline: PipelineInput): Promise<Environment>
  /** A started client of the broker, stopped with the run. */
  connect(options?: { maxRecordBytes?: number }): Promise<MessagingTransport>
}

/** One whose brokers may be killed. */
export interface WorldOfItsOwn extends FaultWorld {
  readonly kafka: KafkaCluster
}

/** Starts the stores and, unless the run was given some, a broker, in parallel. All of it ends with the run. */
export async function startWorld(run: FaultRun): Promise<FaultWorld> {
  if (run.brokers === undefined) return startWorldOfItsOwn(run, { brokers: 1 })
  const { brokers } = run
  const mark = newMark()
  run.atEnd(() => removeTopics(brokers, mark))
  return buildWorld(run, Promise.resolve({ brokers }), { count: 1, mark })
}

/** Starts the engines, brokers too, in parallel. All of it ends with the run. */
export async function startWorldOfItsOwn(run: FaultRun, { brokers }: { brokers: number }): Promise<WorldOfItsOwn> {
  return buildWorld(run, kept(run, startKafka({ nodes: brokers, isHeapFixed: true })), { count: brokers, mark: newMark() })
}

/** The stores have all that they acknowledge on disk, as in production. */
async function buildWorld<Kafka extends FaultWorld['kafka']>(run: FaultRun, starting: Promise<Kafka>, { count, mark }: { count: number; mark: string }): Promise<FaultWorld & { readonly kafka: Kafka }> {
  const [kafka, server, postgres] = await Promise.all([starting, kept(run, startManagedClickHouse()), kept(run, startManagedPostgres({ durable: true }))])
  run.tell(`Kafka (${count} ${count === 1 ? 'broker' : 'brokers'}), ClickHouse and PostgreSQL run`)
  const login = { url: server.url, user: server.owner.username, password: server.owner.password, database: 'default' }
  const clickhouse = Object.assign(server, { login })
  const common = { ...(await commonEnvironment(run, clickhouse.login, postgres)), KAFKA_BROKERS: kafka.brokers.join(','), KAFKA_REPLICATION: String(Math.min(3, count)) }
  const topicNamed = (name: string): string => `${name}_${mark}`
  const topic = topicNamed(EVENT_PIPELINE.topic)
  const pipelinesFile = await writePipeline(run, { ...EVENT_PIPELINE, topic })
  return {
    kafka,
    clickhouse,
    postgres,
    topic,
    table: topic,
    topicNamed,
    environment: (changes = {}) => ({ ...common, PIPELINES_FILE: pipelinesFile, ...changes }),
    environmentFor: async (pipeline) => ({ ...common, PIPELINES_FILE: await writePipeline(run, pipeline) }),
    connect: async (options = {}) => {
      const transport = createPlatformaticTransport({ brokers: kafka.brokers, clientId: 'faults', ...options })
      await transport.start()
      run.atEnd(() => transport.stop())
      return transport
    },
  }
}

/** What tells a run's topics from another's. */
const newMark = (): string => randomBytes(4).toString('hex')

async function removeTopics(brokers: readonly string[], mark: string): Promise<void> {
  const transport = createPlatformaticTransport({ brokers })
  await transport.start()
  try {
    for (const topic of await transport.topics.list()) if (topic.includes(`_${mark}`)) await transport.topics.delete(topic)
  } finally {
    await transport.stop()
  }
}

/** Starts only brokers. */
export async function startBrokers(run: FaultRun, brokers: number): Promise<Pick<WorldOfItsOwn, 'kafka' | 'connect'>> {
  const kafka = await kept(run, startKafka({ nodes: brokers }))
  run.tell(`${brokers} brokers run`)
  const connect: FaultWorld['connect'] = async (options = {}) => {
    const transport = createPlatformaticTransport({ brokers: kafka.brokers, clientId: 'faults', ...options })
    await transport.start()
    run.atEnd(() => transport.stop())
    return transport
  }
  return { kafka, connect }
}

async function kept<T extends { stop(): Promise<void> }>(run: FaultRun, starting: Promise<T>): Promise<T> {
  const server = await starting
  run.atEnd(() => server.stop())
  return server
}

async function commonEnvironment(run: FaultRun, clickhouse: ClickHouseAddress, postgres: ManagedServer): Promise<Environment> {
  const keysFile = join(run.folder, 'jwks.json')
  await writeFile(keysFile, JSON.stringify(exportJwkSet(await generateSigningKeys())))
  return {
    KAFKA_TRANSPORT: 'platformatic',
    // A member that was killed is given up this long after; its partitions wait meanwhile.
    KAFKA_SESSION_TIMEOUT_MS: '3000',
    CLICKHOUSE_URL: clickhouse.url,
    CLICKHOUSE_USER: clickhouse.user,
    CLICKHOUSE_PASSWORD: clickhouse.password,
    CLICKHOUSE_DATABASE: clickhouse.database,
    DATABASE_URL: postgres.address,
    AUTH_JWKS_FILE: keysFile,
    AUTH_ISSUER: 'faults',
  }
}

async function writePipeline(run: FaultRun, pipeline: PipelineInput): Promise<string> {
  const file = join(run.folder, `pipelines-${pipeline.topic}.json`)
  await writeFile(file, JSON.stringify([pipeline]))
  return file
}
