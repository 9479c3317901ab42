import { describe, expect, it } from 'vitest'
import { areRedisServers, redisFromEnvironment } from './redis-from-environment.ts'

const REDIS_PREFIX = 'p'

describe('what the environment says of Redis', () => {
  it('is nothing without an address', () => {
    expect(redisFromEnvironment({ REDIS_PREFIX })).toBeNull()
  })

  it('is a server where there is one address', () => {
    expect(redisFromEnvironment({ REDIS_URL: 'rediss://ann:secret@cache:6380/2', REDIS_PREFIX })).toEqual({ url: 'rediss://ann:secret@cache:6380/2', prefix: 'p' })
  })

  it('is a cluster where there are several, with the login of the first', () => {
    expect(redisFromEnvironment({ REDIS_URL: 'redis://ann:a%40b@one:7000, redis://[::1]', REDIS_PREFIX })).toEqual({
      cluster: [{ host: 'one', port: 7000 }, { host: '::1', port: 6379 }],
      username: 'ann',
      password: 'a@b',
      tls: false,
      prefix: 'p',
    })
  })

  it('is a master that Sentinels know by its name', () => {
    expect(redisFromEnvironment({ REDIS_URL: 'redis://one', REDIS_SENTINEL: 'mymaster', REDIS_PREFIX })).toMatchObject({ sentinel: { name: 'mymaster', nodes: [{ host: 'one', port: 26_379 }] } })
  })

  it.each([['redis://a', true], ['redis://a:1,rediss://b:2', true], ['', false], ['redis://', false], ['http://a', false], ['redis://a,', false]])('%j: %j', (text, isRight) => {
    expect(areRedisServers(text)).toBe(isRight)
  })
})
