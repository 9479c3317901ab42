import assert from 'node:assert/strict'
import { assertRejected } from './assert-error.ts'
import { passTime, scan, type CachingSubject, withCache } from './caching-subject.ts'
import { contractCase, type ContractSuite } from './contract-case.ts'
import { SeededRandom } from './seeded-random.ts'

const VALUES: readonly [string, unknown][] = [
  ['null', null],
  ['booleans', [true, false]],
  ['numbers', [0, -0, 1.5, -1e300, Number.MAX_SAFE_INTEGER, Number.NaN, Infinity, -Infinity]],
  ['texts', ['', 'null', 'undefined', '{"a":1}', '🐳 naïve 日本語', 'line\nbreak\0zero', 'x'.repeat(50_000)]],
  ['64-bit integers', [9_007_199_254_740_993n, -9_223_372_036_854_775_808n, 0n]],
  ['times', [new Date('2024-02-29T12:34:56.789Z'), new Date(0), new Date(Number.NaN)]],
  ['maps', new Map<unknown, unknown>([['a', 1], [2n, new Date(5)], [null, new Map([['deep', new Set([1])]])]])],
  ['sets', new Set<unknown>([1, '1', 1n, null])],
  ['bytes', Uint8Array.from({ length: 256 }, (_value, index) => index)],
  ['part of a buffer', new Uint8Array([1, 2, 3, 4]).subarray(1, 3)],
  ['typed arrays', [new Float64Array([0.1, Number.NaN]), new BigInt64Array([-1n, 2n ** 62n]), new Int16Array([-1, 2]), new Uint8ClampedArray([255])]],
  ['nested objects', { a: { b: [{ c: new Date(1), d: 1n, e: undefined }] }, 'key with "quotes"': { __proto__: null, x: 1 } }],
  ['an object that looks like an encoded one', { $type: 'Date', value: '2024', __type: 'bigint', t: 'Map', v: [] }],
  ['arrays with holes of null', [null, [null, []], {}]],
]

/** Object, prototype and all, where the value says so; plain objects may come back without one. */
function assertSame(actual: unknown, expected: unknown, what: string): void {
  assert.deepEqual(structuredClone(actual), structuredClone(expected), what)
}

/** Values in and out. */
export const cachingValueCases: ContractSuite<CachingSubject> = [
  ...VALUES.map(([what, value]) =>
    contractCase<CachingSubject>(`keeps ${what} as what they are`, (subject) =>
      withCache(subject, async (cache, prefix) => {
        await cache.set(`${prefix}k`, value)
        assertSame(await cache.get(`${prefix}k`), value, what)
        assert.equal(await cache.exists(`${prefix}k`), true)
      }),
    ),
  ),

  contractCase('answers undefined for a miss and for nothing else', (subject) =>
    withCache(subject, async (cache, prefix) => {
      assert.equal(await cache.get(`${prefix}missing`), undefined)
      for (const [index, value] of [null, 0, '', false, Number.NaN].entries()) {
        await cache.set(`${prefix}${index}`, value)
        assert.deepEqual(await cache.get(`${prefix}${index}`), value)
      }
    }),
  ),

  contractCase('refuses to cache undefined, and leaves what was there', (subject) =>
    withCache(subject, async (cache, prefix) => {
      await cache.set(`${prefix}k`, 'before')
      await assertRejected(cache.set(`${prefix}k`, undefined), 'ValidationError', 'caching undefined')
      assert.equal(await cache.get(`${prefix}k`), 'before')
    }),
  ),

  contractCase('refuses what it could not give back', (subject) =>
    withCache(subject, async (cache, prefix) => {
      await assertRejected(
        cache.set(`${prefix}k`, () => 1),
        'ValidationError',
        'caching a function',
      )
      await assertRejected(cache.set(`${prefix}k`, Symbol('s')), 'ValidationError', 'caching a symbol')
      await assertRejected(cache.set(`${prefix}k`, { inner: [() => 1] }), 'ValidationError', 'caching an object that holds a function')
      assert.equal(await cache.get(`${prefix}k`), undefined)
    }),
  ),

  contractCase('does not notice what a holder does to a value', (subject) =>
    withCache(subject, async (cache, prefix) => {
      const value = { list: [1, 2], when: new Date(1000), bytes: new Uint8Array([1]) }
      await cache.set(`${prefix}k`, value)
      value.list.push(3)
      value.when.setTime(0)
      value.bytes[0] = 9

      const first = await cache.get<typeof value>(`${prefix}k`)
      first?.list.push(4)
      first?.when.setTime(5)

      assertSame(await cache.get(`${prefix}k`), { list: [1, 2], when: new Date(1000), bytes: new Uint8Array([1]) }, 'the value that was set')
    }),
  ),

  contractCase('keeps the latest of several values', (subject) =>
    withCache(subject, async (cache, prefix) => {
      await cache.set(`${prefix}k`, { long: 'x'.repeat(1000) })
      await cache.set(`${prefix}k`, 1)
      assert.equal(await cache.get(`${prefix}k`), 1)
      assert.deepEqual(await scan(cache, `${prefix}*`), [`${prefix}k`])
    }),
  ),

  contractCase('takes any text for a key', (subject) =>
    withCache(subject, async (cache, prefix) => {
      const names = ['__proto__', 'constructor', 'with space', 'line\nbreak', '🐳', 'a:b:c', '*?[]\\', 'x'.repeat(1000), "it's", '{tag}']
      const keys = names.map((name) => prefix + name)
      for (const [index, key] of keys.entries()) await cache.set(key, index)
      for (const [index, key] of keys.entries()) assert.equal(await cache.get(key), index)
      assert.deepEqual((await scan(cache, `${prefix}*`)).sort(), [...keys].sort())
    }),
  ),

  contractCase('delete says whether there was something', (subject) =>
    withCache(subject, async (cache, prefix) => {
      await cache.set(`${prefix}k`, null)
      assert.equal(await cache.delete(`${prefix}k`), true)
      assert.equal(await cache.delete(`${prefix}k`), false)
      assert.equal(await cache.exists(`${prefix}k`), false)
      assert.equal(await cache.get(`${prefix}k`), undefined)
      assert.deepEqual(await scan(cache, `${prefix}*`), [])
    }),
  ),

  contractCase('connects and disconnects, each as often as one likes', async (subject) => {
    const cache = await subject.create()
    await cache.connect()
    await cache.connect()
    await cache.set('contract:twice', 1)
    assert.equal(await cache.get('contract:twice'), 1)
    await cache.delete('contract:twice')
    await cache.disconnect()
    await cache.disconnect()
    await subject.dispose?.(cache)
  }),

  contractCase('serves many callers at once', (subject) =>
    withCache(subject, async (cache, prefix) => {
      const indexes = Array.from({ length: 200 }, (_value, index) => index)
      await Promise.all(indexes.map((index) => cache.set(`${prefix}${index}`, { index })))
      const values = await Promise.all(indexes.map((index) => cache.get(`${prefix}${index}`)))
      assert.deepEqual(
        values,
        indexes.map((index) => ({ index })),
      )
    }),
  ),

  contractCase('behaves like a map for any course of calls', (subject) =>
    withCache(subject, async (cache, prefix) => {
      for (let seed = 1; seed <= 20; seed++) await compareWithMap(cache, `${prefix}${seed}:`, seed)
    }),
  ),
]

async function compareWithMap(cache: Parameters<Parameters<typeof withCache>[1]>[0], prefix: string, seed: number): Promise<void> {
  const random = new SeededRandom(seed)
  const model = new Map<string, number | null>()
  for (let step = 0; step < 40; step++) {
    const key = prefix + random.pick(['a', 'b', 'c', 'd'])
    const where = `seed ${seed}, step ${step}, key ${key}`
    const action = random.below(4)
    if (action < 2) {
      const value = random.pick([null, step])
      await cache.set(key, value)
      model.set(key, value)
    } else if (action === 2) {
      assert.equal(await cache.delete(key), model.delete(key), where)
    }
    assert.equal(await cache.get(key), model.get(key), where)
    assert.equal(await cache.exists(key), model.has(key), where)
  }
  assert.deepEqual((await scan(cache, `${prefix}*`)).sort(), [...model.keys()].sort(), `seed ${seed}`)
}

/** How long values live. */
export const cachingTtlCases: ContractSuite<CachingSubject> = [
  contractCase('forgets an entry when its time is over', (subject) =>
    withCache(subject, async (cache, prefix) => {
      await cache.set(`${prefix}short`, 1, 1)
      await cache.set(`${prefix}long`, 2, 100)
      assert.equal(await cache.get(`${prefix}short`), 1)

      await passTime(subject, 1200)

      assert.equal(await cache.get(`${prefix}short`), undefined)
      assert.equal(await cache.exists(`${prefix}short`), false)
      assert.equal(await cache.ttl(`${prefix}short`), null)
      assert.equal(await cache.delete(`${prefix}short`), false)
      assert.deepEqual(await scan(cache, `${prefix}*`), [`${prefix}long`])
    }),
  ),

  contractCase('ttl tells the seconds left, and null for what is not there', (subject) =>
    withCache(subject, async (cache, prefix) => {
      await cache.set(`${prefix}k`, 1, 100)

      const left = await cache.ttl(`${prefix}k`)

      assert.ok(left !== null && left > 95 && left <= 100, `100 seconds were given and ${left} are left`)
      assert.equal(await cache.ttl(`${prefix}missing`), null)
    }),
  ),

  contractCase('gives an entry without a life the default one', (subject) =>
    withCache(subject, async (cache, prefix) => {
      await cache.set(`${prefix}k`, 1, 1)
      await cache.set(`${prefix}k`, 2)
      const left = await cache.ttl(`${prefix}k`)
      const most = subject.defaultTtlSeconds
      if (most === null) assert.equal(left, null)
      else assert.ok(left !== null && left > most * 0.9 - 5 && left <= most, `the default is ${most} seconds and ${left} are left`)

      if (most === null || most > 2) {
        await passTime(subject, 1200)
        assert.equal(await cache.get(`${prefix}k`), 2, 'the life of an earlier value must not count')
      }
    }),
  ),

  contractCase('refuses a life that is none', (subject) =>
    withCache(subject, async (cache, prefix) => {
      for (const ttlSeconds of [0, -1, Number.NaN]) {
        await assertRejected(cache.set(`${prefix}k`, 1, ttlSeconds), 'ValidationError', `a life of ${ttlSeconds} seconds`)
      }
      assert.equal(await cache.get(`${prefix}k`), undefined)
    }),
  ),
]
