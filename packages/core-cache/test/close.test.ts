import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ownRedis } from './redis-servers.ts'

const EXIT_WITHIN_MS = 120_000

it('A closed cache keeps no process, whatever was under way', async (context) => {
  const redis = await ownRedis()
  if (redis.found === null) return context.skip(`needs Redis: ${redis.remedy}`)
  const folder = await mkdtemp(join(tmpdir(), 'smart-whale-close-'))
  const child = fork(join(import.meta.dirname, 'close-process.ts'), [`redis://${redis.found.nodes[0]?.address}`, folder], { execArgv: ['--conditions=@smart-whale/source'] })
  try {
    let codes: unknown
    child.on('message', (message) => (codes = message))

    const [code, signal] = (await once(child, 'exit', { signal: AbortSignal.timeout(EXIT_WITHIN_MS) })) as [number | null, string | null]

    expect([code, signal]).toEqual([0, null])
    expect(codes).toEqual({ load: 'ERR_ABORTED', 'read while it opens': expect.anything() as unknown, invalidation: 'ERR_CACHE_UNACKNOWLEDGED', connection: 'ERR_CACHE_REDIS' })
  } finally {
    child.kill('SIGKILL')
    await redis.found.stop()
    await rm(folder, { recursive: true })
  }
})
