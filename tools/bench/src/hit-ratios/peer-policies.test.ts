import { loopTrace, zipfTrace } from '@smart-whale/core-cache/testing'
import { describe, expect, it } from 'vitest'
import { PEERS, type Policy } from './peer-policies.ts'

const CAPACITY = 100
const POPULAR = Array.from(zipfTrace({ keys: 2_000, exponent: 0.9, accesses: 50_000 }), String)
const LOOP = Array.from(loopTrace(150, 30_000), String)

const hitRatio = (isThere: Policy, keys: readonly string[]): number => keys.filter((key) => isThere(key)).length / keys.length

describe('The policies that L1Cache is held against', () => {
  it.each(Object.entries(PEERS))('%s hits no key the first time, and all keys that fit after that', (_name, policyOf) => {
    const isThere = policyOf(CAPACITY)
    const few = Array.from({ length: CAPACITY }, (_, index) => `k${index}`)

    expect(few.filter(isThere)).toEqual([])
    expect(few.filter(isThere)).toEqual(few)
  })

  it.each([
    ['S3-FIFO', 0.04],
    ['W-TinyLFU', 0.05],
  ])('%s serves popular keys better than LRU does', (name, points) => {
    expect(hitRatio((PEERS[name] as (capacity: number) => Policy)(CAPACITY), POPULAR)).toBeGreaterThan(hitRatio((PEERS['LRU'] as (capacity: number) => Policy)(CAPACITY), POPULAR) + points)
  })

  it('W-TinyLFU keeps most of what fits of a loop, of which LRU keeps nothing', () => {
    expect(hitRatio((PEERS['LRU'] as (capacity: number) => Policy)(CAPACITY), LOOP)).toBe(0)
    expect(hitRatio((PEERS['W-TinyLFU'] as (capacity: number) => Policy)(CAPACITY), LOOP)).toBeGreaterThan(0.5)
  })
})
