// One of several processes that ask for the same cold key: the cache, Redis's port, a prefix, the number of callers.
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { CONTENDERS, type ReadThrough } from './contenders.ts'

const [name = '', port = '', prefix = '', callers = ''] = process.argv.slice(2)
const open = CONTENDERS[name] as (port: number, prefix: string) => Promise<ReadThrough>
const counter = new Redis(Number(port))
const cache = await open(Number(port), prefix)

async function load(): Promise<string> {
  await counter.incr(`${prefix}-loads`)
  await pause(100)
  return 'value'
}

process.once('message', async () => {
  await Promise.all(Array.from({ length: Number(callers) }, () => cache.get('cold', load)))
  await cache.close()
  counter.disconnect()
  process.disconnect()
})
process.send?.('ready')
