import { afterAll, beforeAll } from 'vitest'
import { ownRedis } from './redis-servers.ts'
import { describeOn, type Reached } from './redis-suite.ts'

const BUILDS = ['redis-7', 'valkey-8'] as const
const reached = new Map<string, Reached>()

beforeAll(async () => {
  for (const build of BUILDS) {
    const redis = await ownRedis({ build })
    if (redis.found === null) reached.set(build, { servers: null, remedy: redis.remedy, config: {} })
    else reached.set(build, { servers: redis.found, remedy: '', config: { url: `redis://${redis.found.nodes[0]?.address}` } })
  }
})
afterAll(async () => {
  for (const { servers } of reached.values()) await servers?.stop()
})

for (const build of BUILDS) describeOn(build, () => reached.get(build) as Reached)
