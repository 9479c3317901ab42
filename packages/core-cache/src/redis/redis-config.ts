import { optionError } from '../errors.ts'

/** Where Redis is: one server, servers watched by Sentinel, or a cluster; exactly one of the three. Redis 7 or newer, or Valkey. */
export interface RedisConfig {
  /** `redis://` or `rediss://` address of one server. @default none */
  url?: string | undefined
  /** Sentinels, and the name under which they know the master. @default none */
  sentinel?: { readonly name: string; readonly nodes: readonly RedisAddress[] } | undefined
  /** Some nodes of a cluster; the others are found. @default none */
  cluster?: readonly RedisAddress[] | undefined
  /** User of the access list. @default the default user */
  username?: string | undefined
  /** Password. @default none */
  password?: string | undefined
  /** Whether the connections are encrypted; a `rediss://` address says so itself. @default false */
  tls?: boolean | undefined
  /** Number of the database; a cluster has only 0. @default 0 */
  database?: number | undefined
  /** What all keys and channels begin with: caches with different prefixes know nothing of each other. @default 'swc' */
  prefix?: string | undefined
  /** How long dialling may take, in milliseconds. @default 1_000 */
  connectTimeoutMs?: number | undefined
  /**
   * Replicas of each server that must have an invalidation, or a lock, before it is acknowledged: a failover then loses none, and the values outlive it. With
   * 0 every failover begins with an empty cache, and a shard of a cluster may bring back what a node that starts right then can't know to be invalid. @default 0
   */
  waitForReplicas?: number | undefined
}

/** Where a server listens. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
}

/** @throws ConfigurationError naming what is wrong */
export function checkRedisConfig(config: RedisConfig): RedisConfig {
  const places = [config.url, config.sentinel, config.cluster].filter((place) => place !== undefined)
  if (places.length !== 1) throw optionError('url', undefined, 'given, or else sentinel or cluster: exactly one of the three')
  const { prefix = 'swc', connectTimeoutMs = 1_000, database = 0, waitForReplicas = 0 } = config
  if (!/^[^{}\s*?[\]\\]+$/.test(prefix)) throw optionError('prefix', prefix, 'a text without spaces, braces, brackets, *, ? and \\')
  if (!(connectTimeoutMs > 0)) throw optionError('connectTimeoutMs', connectTimeoutMs, 'a number of milliseconds above 0')
  if (config.url !== undefined && !/^rediss?:\/\//.test(config.url)) throw optionError('url', undefined, 'an address that begins with redis:// or rediss://')
  return { ...config, prefix, connectTimeoutMs, database, waitForReplicas }
}
