import assert from 'node:assert/strict'
import { type CachingSubject, scan, withCache } from './caching-subject.ts'
import { cachingTtlCases, cachingValueCases } from './caching-values.ts'
import { contractCase, type ContractSuite } from './contract-case.ts'
import { matchesGlobByDefinition } from './reference-glob.ts'
import { SeededRandom } from './seeded-random.ts'

const KEY_LETTERS = ['a', 'b', 'c', '-', '*', '?', '[', ']', '\\', '^', ':', 'é', '🐳']
const PATTERN_LETTERS = ['a', 'b', 'c', '-', '*', '*', '?', '[', ']', '\\', '^', '!', ':', 'é', '🐳']

/** Pattern and those of the keys that it matches. */
const EXAMPLES: readonly (readonly [pattern: string, keys: readonly string[]])[] = [
  ['*', ['user:1', 'user:22', 'user:x', 'users', 'u*', 'u[1]', 'u\\', '']],
  ['user:*', ['user:1', 'user:22', 'user:x']],
  ['user:?', ['user:1', 'user:x']],
  ['user:[12]', ['user:1']],
  ['user:[0-9]*', ['user:1', 'user:22']],
  ['user:[^0-9]', ['user:x']],
  ['user:[!0-9]', ['user:x']],
  ['*s', ['users']],
  ['*e*:*', ['user:1', 'user:22', 'user:x']],
  ['users', ['users']],
  ['u\\*', ['u*']],
  ['u\\[1\\]', ['u[1]']],
  ['u[[]1]', ['u[1]']],
  ['u\\\\', ['u\\']],
  ['u[*]', ['u*']],
  ['nothing*', []],
  ['', ['']],
]

/** What every `CachingInterface` promises. */
export const cachingContract: ContractSuite<CachingSubject> = [
  ...cachingValueCases,
  ...cachingTtlCases,

  contractCase('scanKeys understands every form of a glob', (subject) =>
    withCache(subject, async (cache, prefix) => {
      for (const key of EXAMPLES[0]?.[1] ?? []) await cache.set(prefix + key, 1)
      for (const [pattern, keys] of EXAMPLES) {
        const found = await scan(cache, prefix + pattern)
        assert.deepEqual(found.sort(), keys.map((key) => prefix + key).sort(), `the pattern ${JSON.stringify(pattern)}`)
      }
    }),
  ),

  contractCase('scanKeys means the same by any pattern as the definition', (subject) =>
    withCache(subject, async (cache, prefix) => {
      const random = new SeededRandom(20_260_101)
      const keys = new Set(Array.from({ length: 60 }, () => random.text(KEY_LETTERS, 5)))
      for (const key of keys) await cache.set(prefix + key, 1)
      for (let round = 0; round < 300; round++) {
        const pattern = random.text(PATTERN_LETTERS, 7)
        const expected = [...keys].filter((key) => matchesGlobByDefinition(pattern, key)).map((key) => prefix + key)
        assert.deepEqual((await scan(cache, prefix + pattern)).sort(), expected.sort(), `the pattern ${JSON.stringify(pattern)}`)
      }
    }),
  ),

  contractCase('scanKeys finds each of many keys once', (subject) =>
    withCache(subject, async (cache, prefix) => {
      const keys = Array.from({ length: 1500 }, (_value, index) => `${prefix}${index}`)
      await Promise.all(keys.map((key) => cache.set(key, 1)))
      assert.deepEqual((await scan(cache, `${prefix}*`)).sort(), [...keys].sort())
    }),
  ),

  contractCase('scanKeys lets the caller delete as it goes, and stop early', (subject) =>
    withCache(subject, async (cache, prefix) => {
      await Promise.all(Array.from({ length: 50 }, (_value, index) => cache.set(`${prefix}${index}`, 1)))
      for await (const _key of cache.scanKeys(`${prefix}*`)) break
      for await (const key of cache.scanKeys(`${prefix}*`)) await cache.delete(key)
      assert.deepEqual(await scan(cache, `${prefix}*`), [])
    }),
  ),
]
