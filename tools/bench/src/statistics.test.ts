import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { orderOfRound, quantile, speedRatios, spreadOf } from './statistics.ts'

describe('quantile', () => {
  it('takes the middle of an odd number of values, in whatever order they come', () => {
    expect(quantile([5, 1, 9], 0.5)).toBe(3 + 2)
  })

  it('lies between two neighbours in proportion', () => {
    expect(quantile([10, 20], 0.5)).toBe(15)
    expect(quantile([0, 10, 20, 30, 40], 0.1)).toBeCloseTo(4)
  })

  it('never leaves the range of the values, and grows with the share', () => {
    const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 50 })

    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (list, one, other) => {
        const [low, high] = [quantile(list, Math.min(one, other)), quantile(list, Math.max(one, other))]
        expect(low).toBeGreaterThanOrEqual(Math.min(...list) - 1e-9)
        expect(high).toBeLessThanOrEqual(Math.max(...list) + 1e-9)
        expect(low).toBeLessThanOrEqual(high + 1e-9)
      }),
    )
  })

  it('leaves what it is given as it is', () => {
    const values = [3, 1, 2]
    quantile(values, 0.5)
    expect(values).toEqual([3, 1, 2])
  })
})

describe('spreadOf', () => {
  it('is not moved by a single wild value', () => {
    const calm = Array.from({ length: 20 }, () => 1)
    expect(spreadOf([...calm, 1000])).toEqual({ median: 1, p10: 1, p90: 1 })
  })
})

describe('speedRatios', () => {
  it('compares within a round: a round that was slow for both says the same as the others', () => {
    expect(speedRatios([300, 3000, 330], [100, 1000, 110])).toEqual([3, 3, 3])
  })
})

describe('orderOfRound', () => {
  it('names everyone once in every round', () => {
    for (let round = 0; round < 20; round++) expect(orderOfRound(5, round).toSorted()).toEqual([0, 1, 2, 3, 4])
  })

  it('lets everyone begin equally often', () => {
    const beginners = Array.from({ length: 12 }, (_, round) => orderOfRound(4, round)[0])
    expect([0, 1, 2, 3].map((index) => beginners.filter((beginner) => beginner === index).length)).toEqual([3, 3, 3, 3])
  })

  it('gives a contender more than one predecessor', () => {
    const predecessors = new Set(Array.from({ length: 12 }, (_, round) => orderOfRound(3, round)).map((order) => order[order.indexOf(1) - 1]))
    expect(predecessors).toEqual(new Set([undefined, 0, 2]))
  })
})
