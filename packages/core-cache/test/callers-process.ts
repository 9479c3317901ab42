// One of several processes that ask for the same cold key at the same moment: address, prefix, and what its loader does.
import { createCacheManager } from '@smart-whale/core-cache'
import { createRedisLayer } from '@smart-whale/core-cache/redis'
import { Redis } from 'ioredis'
import { until } from './redis-servers.ts'

const [url = '', prefix = '', mode = '', processes = ''] = process.argv.slice(2)
const raw = new Redis(url)
const cache = createCacheManager({ shared: createRedisLayer({ url, prefix }), sharedTimeoutMs: 5_000 })

async function load(): Promise<string> {
  const loads = await raw.incr(`${prefix}-loads`)
  if (mode === 'die' && loads === 1) process.kill(process.pid, 'SIGKILL')
  // Who asks after a failure loads anew: all have to be there before it.
  if (mode === 'fail') await until('all to ask', async () => (await raw.get(`${prefix}-asking`)) === processes)
  await new Promise((resolve) => setTimeout(resolve, 300))
  if (mode === 'fail') throw new RangeError('the source is away')
  return 'value'
}

await cache.connect()
await until('the link', () => cache.isLinked())
process.once('message', async () => {
  const answers = Array.from({ length: 500 }, () => cache.smartGet('cold', load))
  await raw.incr(`${prefix}-asking`)
  const outcomes = await Promise.allSettled(answers)
  const values = outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value === 'value').length
  process.send?.({ values, failures: outcomes.length - values })
  await cache.disconnect()
  raw.disconnect()
  process.disconnect()
})
process.send?.('ready')
