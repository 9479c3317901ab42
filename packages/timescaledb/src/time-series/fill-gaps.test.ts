import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fillGaps } from './fill-gaps.ts'
import { interpolate } from './interpolate.ts'

const hour = (index: number): Date => new Date(Date.UTC(2001, 0, 1, index))
const buckets = [0, 1, 2, 3, 4].map(hour)
const metrics = [
  { name: 'count', isCount: true, isNumber: true },
  { name: 'avg', isCount: false, isNumber: true },
]
const seriesOf = ({ origin }: Record<string, unknown>): number => (origin === 'LAX' ? 1 : 0)
const rows = [
  { bucket: hour(1), origin: 'JFK', count: 2n, avg: 10 },
  { bucket: hour(3), origin: 'JFK', count: 1n, avg: 20 },
  { bucket: hour(0), origin: 'LAX', count: 1n, avg: 5 },
]

describe('fillGaps', () => {
  it('gives every series a row in every bucket, counts of nothing being 0', () => {
    const filled = fillGaps(rows, { buckets, groupBy: ['origin'], seriesOf, metrics, fill: 'null' })

    expect(filled).toHaveLength(10)
    expect(filled.map(({ origin }) => origin)).toEqual(Array.from({ length: 5 }, () => ['JFK', 'LAX']).flat())
    expect(filled.filter(({ origin }) => origin === 'JFK').map(({ count, avg }) => [count, avg])).toEqual([[0n, null], [2n, 10], [0n, null], [1n, 20], [0n, null]])
    expect(filled.map(({ bucket }) => bucket)).toEqual([...buckets, ...buckets].sort((a, b) => a.getTime() - b.getTime()))
  })

  it('carries the last value of the same series forward, and nothing before the first', () => {
    const filled = fillGaps(rows, { buckets, groupBy: ['origin'], seriesOf, metrics, fill: 'locf' })

    expect(filled.filter(({ origin }) => origin === 'JFK').map(({ avg }) => avg)).toEqual([null, 10, 10, 20, 20])
    expect(filled.filter(({ origin }) => origin === 'LAX').map(({ avg }) => avg)).toEqual([5, 5, 5, 5, 5])
  })

  it('draws lines between neighbours and not beyond the ends', () => {
    const filled = fillGaps(rows, { buckets, groupBy: ['origin'], seriesOf, metrics, fill: 'linear' })

    expect(filled.filter(({ origin }) => origin === 'JFK').map(({ avg }) => avg)).toEqual([null, 10, 15, 20, null])
  })

  it('leaves texts that look like numbers alone', () => {
    const texts = [{ bucket: hour(0), last: '1.0' }, { bucket: hour(2), last: '3.0' }]
    const filled = fillGaps(texts, { buckets: buckets.slice(0, 3), groupBy: [], seriesOf, metrics: [{ name: 'last', isCount: false, isNumber: false }], fill: 'linear' })

    expect(filled.map(({ last }) => last)).toEqual(['1.0', null, '3.0'])
  })

  it('fills a series that has no row at all when there are no groups', () => {
    expect(fillGaps([], { buckets, groupBy: [], seriesOf, metrics, fill: 'null' })).toHaveLength(5)
    expect(fillGaps([], { buckets, groupBy: ['origin'], seriesOf, metrics, fill: 'null' })).toHaveLength(0)
  })
})

describe('interpolate', () => {
  it('rounds whole numbers and decimals to the digits of their neighbours', () => {
    expect(interpolate(1n, 2n, { elapsedMs: 1, totalMs: 2 })).toBe(2n)
    expect(interpolate(-1n, -2n, { elapsedMs: 1, totalMs: 2 })).toBe(-2n)
    expect(interpolate('1.25', '2', { elapsedMs: 1, totalMs: 3 })).toBe('1.50')
    expect(interpolate('-0.5', '0.25', { elapsedMs: 1, totalMs: 2 })).toBe('-0.13')
    expect(interpolate('x', '2', { elapsedMs: 1, totalMs: 3 })).toBeNull()
  })

  it('keeps numbers beyond 2⁵³ exact and between their neighbours', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), fc.integer({ min: 0, max: 1000 }), (left, right, elapsedMs) => {
        const between = interpolate(left, right, { elapsedMs, totalMs: 1000 }) as bigint
        const [low, high] = left < right ? [left, right] : [right, left]

        expect(between >= low && between <= high).toBe(true)
        expect(interpolate(left, right, { elapsedMs: 0, totalMs: 1000 })).toBe(left)
        expect(interpolate(left, right, { elapsedMs: 1000, totalMs: 1000 })).toBe(right)
      }),
    )
  })
})
