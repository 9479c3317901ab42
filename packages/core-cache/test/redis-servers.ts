import { startRedis, type RedisServers, ServiceError, type StartRedisOptions } from '../../../tools/services/src/index.ts'

/** Servers of a test's own, which it may kill; or why this machine has none. */
export async function ownRedis(options?: StartRedisOptions): Promise<{ readonly found: RedisServers } | { readonly found: null; readonly remedy: string }> {
  try {
    return { found: await startRedis(options) }
  } catch (error) {
    if (error instanceof ServiceError) return { found: null, remedy: error.message }
    throw error
  }
}

/** Waits for a condition, and fails with what it is called when it doesn't come. */
export async function until(what: string, timeoutMs: number, isSo: () => boolean | Promise<boolean>): Promise<number> {
  const begin = performance.now()
  while (!(await isSo())) {
    if (performance.now() - begin > timeoutMs) throw new TypeError(`${what} did not come within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return performance.now() - begin
}
