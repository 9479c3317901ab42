import { SENTINEL_MASTER } from '../redis/sentinel-master.ts'
import type { ContainerPlan } from './container-plan.ts'

const HOST = '127.0.0.1'
/** Superuser and owner of the servers that docker/services.compose.yaml makes, which nobody else can reach. */
const PASSWORD = 'smart-whale-test'

const at = (port: number | undefined): string => `${HOST}:${port}`
const list = (ports: readonly number[]): string => ports.map(at).join(',')
const single = (service: string, port: string, variables: (port: number) => Record<string, string>): ContainerPlan => ({
  services: [service],
  ports: [port],
  variables: ([first]) => variables(first as number),
})
const numbered = (name: string): string[] => [1, 2, 3].map((number) => `${name}_${number}_PORT`)

/** Which services docker/services.compose.yaml has. */
export const CONTAINERS: Readonly<Record<string, ContainerPlan>> = {
  kafka: single('kafka', 'KAFKA_PORT', (port) => ({ KAFKA_BROKERS: at(port) })),
  'kafka-cluster': { services: ['kafka-1', 'kafka-2', 'kafka-3'], ports: numbered('KAFKA'), variables: (ports) => ({ KAFKA_CLUSTER_BROKERS: list(ports) }) },
  timescaledb: single('timescaledb', 'TIMESCALEDB_PORT', (port) => ({ TIMESCALEDB_URL: `postgres://postgres:${PASSWORD}@${at(port)}/postgres` })),
  'timescaledb-18': single('timescaledb-18', 'TIMESCALEDB_18_PORT', (port) => ({ TIMESCALEDB_18_URL: `postgres://postgres:${PASSWORD}@${at(port)}/postgres` })),
  redis: single('redis', 'REDIS_PORT', (port) => ({ REDIS_URL: `redis://${at(port)}` })),
  'redis-7': single('redis-7', 'REDIS_7_PORT', (port) => ({ REDIS_7_URL: `redis://${at(port)}` })),
  valkey: single('valkey', 'VALKEY_PORT', (port) => ({ VALKEY_URL: `redis://${at(port)}` })),
  'redis-cluster': { services: ['redis-cluster'], ports: numbered('REDIS_CLUSTER'), variables: (ports) => ({ REDIS_CLUSTER_NODES: list(ports) }) },
  'redis-sentinel': {
    services: ['redis-sentinel'],
    ports: ['REDIS_MASTER_PORT', 'REDIS_REPLICA_PORT', ...numbered('REDIS_SENTINEL')],
    variables: (ports) => ({ REDIS_SENTINELS: list(ports.slice(2)), REDIS_SENTINEL_MASTER: SENTINEL_MASTER }),
  },
  clickhouse: single('clickhouse', 'CLICKHOUSE_PORT', (port) => ({ CLICKHOUSE_URL: `http://${at(port)}`, CLICKHOUSE_USER: 'owner', CLICKHOUSE_PASSWORD: PASSWORD })),
  'clickhouse-trio': {
    services: ['clickhouse-1', 'clickhouse-2', 'clickhouse-3'],
    ports: numbered('CLICKHOUSE'),
    variables: (ports) => ({ CLICKHOUSE_TRIO_URLS: ports.map((port) => `http://${at(port)}`).join(','), CLICKHOUSE_TRIO_USER: 'owner', CLICKHOUSE_TRIO_PASSWORDS: ports.map(() => PASSWORD).join(',') }),
  },
}
