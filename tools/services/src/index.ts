// Kafka
export { startKafka, type KafkaCluster, type KafkaNode, type StartKafkaOptions } from './kafka/start-kafka.ts'
export { MIN_SESSION_TIMEOUT_MS } from './kafka/broker-properties.ts'
export { TEST_USER } from './kafka/prepared-kafka.ts'
export { SASL_MECHANISMS, type KafkaUser, type SecuredListener } from './kafka/security.ts'
// PostgreSQL
export { startManagedPostgres, type ManagedPostgres, type StartManagedPostgresOptions } from './postgres/start-managed-postgres.ts'
export { startTimescaleDb, type StartTimescaleDbOptions, type TimescaleBuild, type TimescaleDb } from './postgres/start-timescaledb.ts'
// ClickHouse
export { startManagedClickHouse, type ManagedClickHouse, type StartManagedClickHouseOptions } from './clickhouse/start-managed-clickhouse.ts'
// Redis
export { startRedis, type RedisLayout, type RedisServers, type StartRedisOptions } from './redis/start-redis.ts'
export { SENTINEL_MASTER } from './redis/sentinel-master.ts'
export type { RedisBuild } from './redis/find-redis.ts'
// Lines that fail
export { startToxiproxy, type Toxiproxy } from './toxiproxy/start-toxiproxy.ts'
export type { ProxyLine, Toxic, ToxiproxyClient } from './toxiproxy/toxiproxy-client.ts'
// Buckets
export { type S3Server, startS3 } from './s3/start-s3.ts'
// In common
export type { ManagedServer } from './managed-server.ts'
export { findFreePort, findFreePorts } from './free-ports.ts'
export { ServiceError, type ServiceErrorCode } from './service-error.ts'
export type { Progress } from './install-once.ts'
