import Fastify from 'fastify'
import { expect, it } from 'vitest'
import type { Freshness } from '../pipeline/freshness/freshness.ts'
import { freshnessRoutes } from './freshness-routes.ts'

const waits: unknown[] = []
const freshness = {
  check: async () => ({ stored: false, behind: [] }),
  waitUntilStored: async (_token: string, options: { timeoutMs?: number }) => {
    waits.push(options.timeoutMs)
    return { waitedMs: 1 }
  },
} as unknown as Freshness

it.each([
  ['/freshness?token=t', 200],
  ['/freshness?token=t&waitMs=5', 200],
  ['/freshness', 400],
  // Taken away silently, it would be as if nobody wanted to wait.
  ['/freshness?token=t&waitms=5', 400],
  ['/freshness?token=t&wait_ms=5', 400],
])('GET %s is answered by %i', async (url, status) => {
  await using app = Fastify()
  await app.register(freshnessRoutes, { freshness })

  const answer = await app.inject({ url })

  expect(answer.statusCode).toBe(status)
  if (url.includes('wait_ms')) expect(answer.json()).toMatchObject({ code: 'ERR_MESSAGING_INVALID_ARGUMENT', issues: [{ path: ['query', 'wait_ms'] }] })
})
