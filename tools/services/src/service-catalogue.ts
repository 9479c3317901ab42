// Which services are there, what starts them, and by which variables of the environment are they known?
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContainerPlan } from './container/container-plan.ts'
import { CONTAINERS } from './container/containers.ts'
import { doBrokersAnswer, doesPostgresAnswer, doesS3Answer, doRedisAnswer, doUrlsAnswer } from './does-answer.ts'
import type { Progress } from './install-once.ts'
import type { TimescaleBuild } from './postgres/start-timescaledb.ts'
import type { RedisBuild } from './redis/find-redis.ts'
import { SENTINEL_MASTER } from './redis/sentinel-master.ts'
import type { RedisLayout } from './redis/start-redis.ts'

/** Names to values, as in an environment. */
export type Variables = Readonly<Record<string, string>>

/** A service that runs. */
export interface RunningService {
  /** What programs are told of it. */
  readonly variables: Variables
  /** Its main processes. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/** One service that can be brought up. */
export interface ServiceDefinition {
  readonly name: string
  /** What it is, for people. */
  readonly title: string
  /** What it is known by; where the environment has the first, that one is used and none is started. */
  readonly variables: readonly [string, ...string[]]
  /** Starts it on this machine; what that takes is loaded then, as most commands only look. `folder` is its own for as long as it runs. */
  readonly start: (folder: string, progress: Progress) => Promise<RunningService>
  /** Asks whether what the variables name answers. */
  readonly answers: (variables: Variables) => Promise<boolean>
  /** How a container engine gives the same. */
  readonly container?: ContainerPlan | undefined
}

const kafka = (name: string, nodes: number, prefix: string): ServiceDefinition => ({
  name,
  title: nodes === 1 ? 'Apache Kafka, one node' : `Apache Kafka, ${nodes} nodes`,
  variables: ['BROKERS', 'TLS_BROKERS', 'SASL_BROKERS', 'SASL_TLS_BROKERS', 'USERNAME', 'PASSWORD', 'CA_FILE'].map((ending) => `${prefix}_${ending}`) as [string],
  start: async (folder, progress) => {
    const { startKafka } = await import('./kafka/start-kafka.ts')
    const { brokers, secured, certificate, users, nodes: started, stop } = await startKafka({ nodes, progress })
    const caFile = join(folder, 'kafka-ca.pem')
    await writeFile(caFile, certificate)
    const values = [brokers.join(','), ...(['tls', 'sasl', 'saslTls'] as const).map((listener) => secured[listener]?.join(',') ?? ''), users[0]?.username ?? '', users[0]?.password ?? '', caFile]
    return { variables: Object.fromEntries(values.map((value, index) => [kafka(name, nodes, prefix).variables[index], value])), pids: started.flatMap((node) => node.pids), stop }
  },
  answers: (variables) => doBrokersAnswer(variables[`${prefix}_BROKERS`] ?? ''),
  container: CONTAINERS[name],
})

const timescaledb = (name: string, postgres: TimescaleBuild, variable: string): ServiceDefinition => ({
  name,
  title: `TimescaleDB on PostgreSQL ${postgres}`,
  variables: [variable],
  start: async (_folder, progress) => {
    const { startTimescaleDb } = await import('./postgres/start-timescaledb.ts')
    const { address, pids, stop } = await startTimescaleDb({ postgres, progress })
    return { variables: { [variable]: address }, pids: pids.slice(0, 1), stop }
  },
  answers: (variables) => doesPostgresAnswer(variables[variable] ?? ''),
  container: CONTAINERS[name],
})

interface RedisService {
  readonly name: string
  readonly title: string
  readonly build: RedisBuild
  readonly layout: RedisLayout
  readonly variable: string
  readonly more?: Variables
}

const redis = ({ name, title, build, layout, variable, more = {} }: RedisService): ServiceDefinition => ({
  name,
  title,
  variables: [variable, ...Object.keys(more)],
  start: async (_folder, progress) => {
    const { startRedis } = await import('./redis/start-redis.ts')
    const { nodes, sentinels, stop } = await startRedis({ build, layout, progress })
    const clients = (layout === 'sentinel' ? sentinels : nodes).map(({ address }) => (layout === 'single' ? `redis://${address}` : address))
    return { variables: { [variable]: clients.join(','), ...more }, pids: [...nodes, ...sentinels].flatMap((server) => server.pids), stop }
  },
  answers: (variables) => doRedisAnswer(variables[variable] ?? ''),
  container: CONTAINERS[name],
})

const clickhouse: ServiceDefinition = {
  name: 'clickhouse',
  title: 'ClickHouse',
  variables: ['CLICKHOUSE_URL', 'CLICKHOUSE_USER', 'CLICKHOUSE_PASSWORD'],
  start: async () => {
    const { startManagedClickHouse } = await import('./clickhouse/start-managed-clickhouse.ts')
    const { url, owner, pids, stop } = await startManagedClickHouse()
    return { variables: { CLICKHOUSE_URL: url, CLICKHOUSE_USER: owner.username, CLICKHOUSE_PASSWORD: owner.password }, pids: pids.slice(0, 1), stop }
  },
  answers: (variables) => doUrlsAnswer(variables['CLICKHOUSE_URL'] ?? '', '/ping'),
  container: CONTAINERS['clickhouse'],
}

const clickhouseTrio: ServiceDefinition = {
  name: 'clickhouse-trio',
  title: 'ClickHouse, three servers that know nothing of each other',
  variables: ['CLICKHOUSE_TRIO_URLS', 'CLICKHOUSE_TRIO_USER', 'CLICKHOUSE_TRIO_PASSWORDS'],
  start: async () => {
    const { startManagedClickHouse } = await import('./clickhouse/start-managed-clickhouse.ts')
    const servers = await Promise.all([1, 2, 3].map(() => startManagedClickHouse()))
    const joined = (pick: (server: (typeof servers)[number]) => string): string => servers.map(pick).join(',')
    return {
      variables: {
        CLICKHOUSE_TRIO_URLS: joined(({ url }) => url),
        CLICKHOUSE_TRIO_USER: servers[0]?.owner.username ?? '',
        CLICKHOUSE_TRIO_PASSWORDS: joined(({ owner }) => owner.password),
      },
      pids: servers.flatMap(({ pids }) => pids.slice(0, 1)),
      stop: async () => {
        await Promise.all(servers.map((server) => server.stop()))
      },
    }
  },
  answers: (variables) => doUrlsAnswer(variables['CLICKHOUSE_TRIO_URLS'] ?? '', '/ping'),
  container: CONTAINERS['clickhouse-trio'],
}

const toxiproxy: ServiceDefinition = {
  name: 'toxiproxy',
  title: 'Toxiproxy, for lines that fail',
  variables: ['TOXIPROXY_URL'],
  start: async (_folder, progress) => {
    const { startToxiproxy } = await import('./toxiproxy/start-toxiproxy.ts')
    const { address, pids, stop } = await startToxiproxy({ progress })
    return { variables: { TOXIPROXY_URL: address }, pids, stop }
  },
  answers: (variables) => doUrlsAnswer(variables['TOXIPROXY_URL'] ?? '', '/version'),
}

const s3: ServiceDefinition = {
  name: 's3',
  title: 'an S3 server, for buckets',
  variables: ['S3_URL', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY', 'S3_REGION'],
  start: async (_folder, progress) => {
    const { startS3 } = await import('./s3/start-s3.ts')
    const { address, accessKeyId, secretAccessKey, region, pids, stop } = await startS3({ progress })
    return { variables: { S3_URL: address, S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey, S3_REGION: region }, pids, stop }
  },
  answers: (variables) => doesS3Answer(variables['S3_URL'] ?? ''),
}

/** All services, in the order that they are listed in. */
export const SERVICES: readonly ServiceDefinition[] = [
  kafka('kafka', 1, 'KAFKA'),
  kafka('kafka-cluster', 3, 'KAFKA_CLUSTER'),
  timescaledb('timescaledb', 17, 'TIMESCALEDB_URL'),
  timescaledb('timescaledb-18', 18, 'TIMESCALEDB_18_URL'),
  redis({ name: 'redis', title: 'Redis 8', build: 'redis-8', layout: 'single', variable: 'REDIS_URL' }),
  redis({ name: 'redis-7', title: 'Redis 7', build: 'redis-7', layout: 'single', variable: 'REDIS_7_URL' }),
  redis({ name: 'redis-cluster', title: 'Redis 8, three masters', build: 'redis-8', layout: 'cluster', variable: 'REDIS_CLUSTER_NODES' }),
  redis({ name: 'redis-sentinel', title: 'Redis 8, a master and its replica under three Sentinels', build: 'redis-8', layout: 'sentinel', variable: 'REDIS_SENTINELS', more: { REDIS_SENTINEL_MASTER: SENTINEL_MASTER } }),
  redis({ name: 'valkey', title: 'Valkey 8', build: 'valkey-8', layout: 'single', variable: 'VALKEY_URL' }),
  clickhouse,
  clickhouseTrio,
  toxiproxy,
  s3,
]

/** What the environment says of a service, if it names one. */
export function fromEnvironment({ variables }: ServiceDefinition, env: Readonly<Record<string, string | undefined>>): Variables | undefined {
  if (!env[variables[0]]) return undefined
  return Object.fromEntries(variables.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
}
