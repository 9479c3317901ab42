import { Redis } from 'ioredis'
import { type ManagedServer, startRedis, type RedisServers, ServiceError, type StartRedisOptions } from '../../../tools/services/src/index.ts'

/** Servers of a test's own, which it may kill; or why this machine has none. */
export async function ownRedis(options?: StartRedisOptions): Promise<{ readonly found: RedisServers } | { readonly found: null; readonly remedy: string }> {
  try {
    return { found: await startRedis(options) }
  } catch (error) {
    if (error instanceof ServiceError) return { found: null, remedy: error.message }
    throw error
  }
}

/** Lets no replica follow a server any more: what is written to it from now on is lost when it dies. */
export async function keepReplicasAway({ address }: ManagedServer): Promise<void> {
  const raw = new Redis(`redis://${address}`)
  await raw.call('ACL', 'SETUSER', 'default', '-psync', '-sync', '-replconf')
  await raw.call('CLIENT', 'KILL', 'TYPE', 'replica')
  raw.disconnect()
}

/** For what should come: on a busy machine it takes its time, and Sentinels that were held up for two seconds do nothing for thirty (TILT). */
const DEADLINE_MS = 120_000

/** Waits for a condition, and fails with what it is called when it doesn't come. Resolves to how long it took. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<number> {
  const begin = performance.now()
  while (!(await isSo())) {
    if (performance.now() - begin > DEADLINE_MS) throw new TypeError(`${what} did not come within ${DEADLINE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return performance.now() - begin
}
