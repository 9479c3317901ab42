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
  readonly kafka: KafkaCluster
  readonly clickhouse: ManagedServer & { readonly login: ClickHouseAddress }
  readonly postgres: ManagedServer
  readonly topic: string
  readonly table: string
  /** The environment of an ingestor that takes in {@link EVENT_PIPELINE}, with these variables otherwise. */
  environment(changes?: Environment): Environment
  /** The environment of an ingestor that takes in another pipeline. */
  environmentFor(pipeline: PipelineInput): Promise<Environment>
  /** A started client of the broker, stopped with the run. */
  connect(options?: { maxRecordBytes?: number }): Promise<MessagingTransport>
}

/** Starts the engines, in parallel, with all that they acknowledge on disk as in production. All of it ends with the run. */
export async function startWorld(run: FaultRun, { brokers }: { brokers: number }): Promise<FaultWorld> {
  const [kafka, server, postgres] = await Promise.all([
    kept(run, startKafka({ nodes: brokers })),
    kept(run, startManagedClickHouse()),
    kept(run, startManagedPostgres({ durable: true })),
  ])
  run.tell(`Kafka (${brokers} ${brokers === 1 ? 'broker' : 'brokers'}), ClickHouse and PostgreSQL run`)
  const login = { url: server.url, user: server.owner.username, password: server.owner.password, database: 'default' }
  const clickhouse = Object.assign(server, { login })
  const common = await commonEnvironment(run, kafka, clickhouse.login, postgres)
  const { topic } = EVENT_PIPELINE
  const pipelinesFile = await writePipeline(run, EVENT_PIPELINE)
  return {
    kafka,
    clickhouse,
    postgres,
    topic,
    table: topic,
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

/** Starts only brokers. */
export async function startBrokers(run: FaultRun, brokers: number): Promise<Pick<FaultWorld, 'kafka' | 'connect'>> {
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

async function commonEnvironment(run: FaultRun, kafka: KafkaCluster, clickhouse: ClickHouseAddress, postgres: ManagedServer): Promise<Environment> {
  const keysFile = join(run.folder, 'jwks.json')
  await writeFile(keysFile, JSON.stringify(exportJwkSet(await generateSigningKeys())))
  return {
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_TRANSPORT: 'platformatic',
    // A member that was killed is given up this long after; its partitions wait meanwhile.
    KAFKA_SESSION_TIMEOUT_MS: '3000',
    KAFKA_REPLICATION: String(Math.min(3, kafka.nodes.length)),
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
