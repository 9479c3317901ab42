import fc from 'fast-check'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { createL1Cache, type L1Cache } from './index.ts'

/** SIEVE once more, as the paper words it, over a plain list: oldest first. */
class SieveModel {
  readonly entries: { key: string; value: number; visited: boolean }[] = []
  #hand: string | undefined
  readonly #capacity: number
  evictions = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get(key: string): number | undefined {
    const entry = this.entries.find((candidate) => candidate.key === key)
    if (entry) entry.visited = true
    return entry?.value
  }

  set(key: string, value: number): void {
    const known = this.entries.find((entry) => entry.key === key)
    if (known) {
      known.value = value
      known.visited = true
      return
    }
    if (this.entries.length === this.#capacity) this.#evict()
    this.entries.push({ key, value, visited: false })
  }

  delete(key: string): boolean {
    const at = this.entries.findIndex((entry) => entry.key === key)
    if (at < 0) return false
    if (this.#hand === key) this.#hand = this.entries[at + 1]?.key
    this.entries.splice(at, 1)
    return true
  }

  #evict(): void {
    let at = Math.max(
      0,
      this.entries.findIndex((entry) => entry.key === this.#hand),
    )
    for (;;) {
      const entry = this.entries[at]
      if (entry === undefined) {
        at = 0
      } else if (entry.visited) {
        entry.visited = false
        at += 1
      } else {
        this.#hand = this.entries[at + 1]?.key
        this.entries.splice(at, 1)
        this.evictions += 1
        return
      }
    }
  }
}

type Step = { kind: 'get' | 'delete'; key: string } | { kind: 'set'; key: string; value: number }

const key = fc.integer({ min: 0, max: 14 }).map((number) => `k${number}`)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('set' as const), key, value: fc.nat() }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('get' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
)

async function apply(next: Step, cache: L1Cache, model: SieveModel): Promise<void> {
  if (next.kind === 'get') expect(cache.fastGet(next.key)).toBe(model.get(next.key))
  if (next.kind === 'delete') expect(await cache.delete(next.key)).toBe(model.delete(next.key))
  if (next.kind === 'set') {
    cache.fastSet(next.key, next.value)
    model.set(next.key, next.value)
  }
}

describe('L1Cache evicts', () => {
  it('exactly what SIEVE evicts, for any course of calls', async () => {
    let evictions = 0
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 120, size: 'max' }), async (maxEntries, steps) => {
        const cache = createL1Cache({ maxEntries, defaultTtlSeconds: null, clock: new FakeClock() })
        const model = new SieveModel(maxEntries)

        for (const next of steps) {
          await apply(next, cache, model)
          const keys: string[] = []
          for await (const held of cache.scanKeys('*')) keys.push(held)
          expect(keys.sort()).toEqual(model.entries.map((entry) => entry.key).sort())
        }
        expect(cache.getStats().evictions).toBe(model.evictions)
        evictions += model.evictions
      }),
    )
    expect(evictions).toBeGreaterThan(500)
  })

  it('never more and never less than its bounds ask for, whatever sizes and lives come', async () => {
    const write = fc.record({ key, size: fc.nat(3000), ttlSeconds: fc.integer({ min: 1, max: 5 }), waitMs: fc.nat(800) })
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 80, size: 'max' }), async (writes) => {
        const clock = new FakeClock()
        const cache = createL1Cache({ maxEntries: 8, maxBytes: 12_000, clock })
        const expiresAt = new Map<string, number>()

        for (const { key: written, size, ttlSeconds, waitMs } of writes) {
          await clock.advance(waitMs)
          expect(cache.fastSet(written, 'x'.repeat(size), ttlSeconds)).toBe(true)
          expiresAt.set(written, clock.monotonic() + ttlSeconds * 1000)
          const stats = cache.getStats()
          expect(stats.entries).toBeLessThanOrEqual(8)
          expect(stats.bytes).toBeLessThanOrEqual(12_000)
          expect(cache.checkVitality(written)?.ageMs).toBe(0)
          for (const [held, end] of expiresAt) if (end <= clock.monotonic()) expect(await cache.exists(held)).toBe(false)
        }
        await clock.advance(10_000)
        for (const held of expiresAt.keys()) await cache.exists(held)
        expect(cache.getStats()).toMatchObject({ entries: 0, bytes: 0 })
      }),
    )
  })
})
