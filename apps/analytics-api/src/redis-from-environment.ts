import type { RedisConfig } from '@smart-whale/core-cache/redis'

const [REDIS_PORT, SENTINEL_PORT] = [6379, 26_379]

/** What the environment says of Redis. */
export interface RedisEnvironment {
  readonly REDIS_URL?: string | undefined
  readonly REDIS_SENTINEL?: string | undefined
  readonly REDIS_PREFIX: string
}

/** Whether this is an address, or several with commas between. */
export function areRedisServers(text: string): boolean {
  return text.split(',').every((address) => /^rediss?:\/\/[^/]/.test(address.trim()) && URL.canParse(address.trim()))
}

/** One address is a server, several are nodes of a cluster; with a name, they are Sentinels that know the master by it. Null without any. */
export function redisFromEnvironment({ REDIS_URL, REDIS_SENTINEL, REDIS_PREFIX: prefix }: RedisEnvironment): RedisConfig | null {
  if (REDIS_URL === undefined) return null
  const addresses = REDIS_URL.split(',').map((address) => new URL(address.trim()))
  const [first] = addresses as [URL]
  if (addresses.length === 1 && REDIS_SENTINEL === undefined) return { url: first.href, prefix }
  const usualPort = REDIS_SENTINEL === undefined ? REDIS_PORT : SENTINEL_PORT
  const nodes = addresses.map(({ hostname, port }) => ({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || usualPort) }))
  const places = REDIS_SENTINEL === undefined ? { cluster: nodes } : { sentinel: { name: REDIS_SENTINEL, nodes } }
  return { ...places, username: decodeURIComponent(first.username) || undefined, password: decodeURIComponent(first.password) || undefined, tls: first.protocol === 'rediss:', prefix }
}
