import { createL1Cache } from '@smart-whale/core-cache'
import { LRUCache } from 'lru-cache'
import type { Contender, HotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const PEER = 'lru-cache {max}, get'
const OURS = 'L1Cache, fastGet, with statistics'
const ENTRIES = 10_000
const READS_PER_REPEAT = 10_000

/** What a hit in memory costs: entries of unlike popularity, none of which expires. */
export const cacheMemory: HotPath = {
  name: 'cache-memory',
  title: 'Cache: a hit in memory',
  operation: 'read',
  measure: 'client CPU',
  baseline: PEER,
  goals: [{ contender: OURS, against: PEER, speedAtLeast: 1.4 }],
  open: async () => {
    const keys = Array.from({ length: ENTRIES }, (_, index) => `user:${index}:profile`)
    const order = readOrder(keys)
    const peer = new LRUCache<string, object>({ max: ENTRIES })
    const ours = createL1Cache({ maxEntries: ENTRIES, defaultTtlSeconds: null })
    for (const key of keys) {
      peer.set(key, { key })
      ours.fastSet(key, { key })
    }
    const contender = (name: string, hitsOf: (keys: readonly string[]) => number): Contender => ({
      name,
      operationsPerRepeat: READS_PER_REPEAT,
      run: (repeats) => {
        for (let repeat = 0; repeat < repeats; repeat++) hitsOf(order)
      },
      verify: async () => requireEqual(name, hitsOf(order), READS_PER_REPEAT),
    })
    const contenders = [
      contender(PEER, (asked) => {
        let hits = 0
        for (const key of asked) if (peer.get(key) !== undefined) hits += 1
        return hits
      }),
      contender(OURS, (asked) => {
        let hits = 0
        for (const key of asked) if (ours.fastGet(key) !== undefined) hits += 1
        return hits
      }),
    ]
    return { contenders, serverPid: null, close: async () => {} }
  },
}

/** Some keys far more often than others, the same in each run. */
function readOrder(keys: readonly string[]): readonly string[] {
  return Array.from({ length: READS_PER_REPEAT }, (_, index) => {
    const fraction = ((index * 7_919) % READS_PER_REPEAT) / READS_PER_REPEAT
    return keys[Math.floor(ENTRIES * fraction ** 3)] as string
  })
}
