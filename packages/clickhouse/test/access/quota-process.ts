// One of several processes that share a quota on Redis. It answers each message of its parent; see `QuotaTask`.
import { createCacheService } from '@smart-whale/core-cache/redis'
import { createSharedQuotaStore } from '../../src/access/quota/shared-quota-store.ts'
import { SlidingQuota } from '../../src/access/quota/sliding-quota.ts'
import type { LetIn, QuotaTask } from './quota-processes.ts'

const [url = '', prefix = '', windowSeconds = '', maxQueries = '', instances = '1'] = process.argv.slice(2)
const SPENT = { queries: 1, rowsRead: 1, bytesRead: 0, serverMs: 0 }
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const caches = Array.from({ length: Number(instances) }, () => createCacheService({ url, prefix }))
await Promise.all(caches.map((cache) => cache.connect()))
// A deadline for a machine that does much else: how long one takes to fail has a test of its own.
const quotas = caches.map((cache) => new SlidingQuota({ windowSeconds: Number(windowSeconds), maxQueries: Number(maxQueries) }, createSharedQuotaStore({ cache, timeoutMs: 5_000 }), () => Date.now()))

/** As many queries at once as there are askers, again and again. */
async function askFor(quota: SlidingQuota, ms: number, askers: number): Promise<LetIn[]> {
  const until = Date.now() + ms
  const letIn: LetIn[] = []
  const ask = async (): Promise<void> => {
    while (Date.now() < until) {
      const askedAt = Date.now()
      const excess = await quota.enter('tenant')
      if (excess !== undefined) {
        await pause(Math.min(20, excess.retryAfterMs))
        continue
      }
      letIn.push({ askedAt, answeredAt: Date.now() })
      await pause(Math.random() * 10)
      await quota.spend('tenant', SPENT)
      quota.leave('tenant')
    }
  }
  await Promise.all(Array.from({ length: askers }, ask))
  return letIn
}

async function perform(task: QuotaTask): Promise<unknown> {
  if (task.do === 'ask') return (await Promise.all(quotas.map((quota) => askFor(quota, task.ms, task.askers)))).flat()
  if (task.do === 'spend') return Promise.all(quotas.map((quota) => quota.spend('tenant', SPENT)))
  return (await Promise.all(quotas.map((quota) => quota.excess('tenant')))).map((excess) => excess?.spent ?? 0)
}

process.on('message', async (task: QuotaTask) => {
  if (task.do !== 'end') return process.send?.((await perform(task)) ?? null)
  await Promise.all(caches.map((cache) => cache.disconnect()))
  process.disconnect()
})
process.send?.('ready')
