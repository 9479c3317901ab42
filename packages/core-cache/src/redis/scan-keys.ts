import type { Redis } from 'ioredis'

const KEYS_A_STEP = 1_000

/** All names on one server that match a glob of Redis, in portions. A name may come twice. */
export async function* scanKeysOf(server: Redis, pattern: string): AsyncIterable<string[]> {
  let cursor = '0'
  do {
    const [next, names] = await server.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_A_STEP)
    if (names.length > 0) yield names
    cursor = next
  } while (cursor !== '0')
}
