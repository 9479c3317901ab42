import { silentLogger } from '@smart-whale/interfaces'
import { type CacheDistribution, DistributedCache } from '../distribution/distributed-cache.ts'
import { optionError } from '../errors.ts'
import type { CacheServiceOptions } from './cache-service.ts'
import { ClusterDistribution } from './cluster-distribution.ts'
import { checkRedisConfig, type RedisConfig } from './redis-config.ts'
import { RedisShard } from './redis-shard.ts'

/** Which servers hold the entries: several that know nothing of each other, or a cluster. */
export interface CacheDistributionConfig extends Omit<RedisConfig, 'url' | 'sentinel' | 'waitForReplicas'> {
  /** Servers to begin with, as `host:port`, which is their name for good; see `rebalance`. They are told of each other, so no password belongs here. @default none */
  nodes?: readonly string[] | undefined
}

/**
 * A cache whose entries are spread over several servers. What a server tells the others is its name alone: user, password and the rest are the same for all.
 *
 * @throws ConfigurationError naming what is wrong
 */
export function createCacheDistribution({ nodes, ...common }: CacheDistributionConfig, options: CacheServiceOptions = {}): CacheDistribution {
  if ((nodes === undefined) === (common.cluster === undefined)) throw optionError('nodes', undefined, 'given, or else cluster: one of the two')
  if (nodes === undefined) return new ClusterDistribution(common, options)
  const { timeoutMs = 1_000, defaultTtlSeconds = 60, logger = silentLogger } = options
  if (defaultTtlSeconds !== null && !(defaultTtlSeconds > 0)) throw optionError('defaultTtlSeconds', defaultTtlSeconds, 'a number of seconds above 0, or null')
  if (!(timeoutMs > 0)) throw optionError('timeoutMs', timeoutMs, 'a number of milliseconds above 0')
  const wrong = nodes.find((name) => !/^[^\s/@]+:\d+$/.test(name))
  if (wrong !== undefined) throw optionError('nodes', 'something else', 'names of the form host:port')
  const shardFor = (name: string): RedisShard => {
    const checked = checkRedisConfig({ ...common, url: `${common.tls === true ? 'rediss' : 'redis'}://${name}` })
    return new RedisShard(name, { ...checked, prefix: checked.prefix ?? 'swc' }, { timeoutMs, logger })
  }
  return new DistributedCache({ nodes, shardFor, defaultLifeMs: defaultTtlSeconds === null || defaultTtlSeconds === Infinity ? 0 : Math.max(1, Math.ceil(defaultTtlSeconds * 1000)) })
}
