import { describe, expect, it } from 'vitest'
import { formatTimeInterval, parseTimeInterval } from '../time-series/time-interval.ts'
import { adviseLonger, chooseInterval } from './choose-interval.ts'

const DAY = 86_400_000
const week = parseTimeInterval('7 days')
const choose = (change: Partial<Parameters<typeof chooseInterval>[0]>): string =>
  formatTimeInterval(chooseInterval({ interval: week, existing: 0, maxPartitions: 500, timesMs: [0], ...change }))
const days = (count: number, every = 1): number[] => Array.from({ length: count }, (_, index) => index * every * DAY)

describe('chooseInterval', () => {
  it('takes what the table asks for as long as that does', () => {
    expect(choose({ timesMs: days(90) })).toBe('7 days')
    expect(choose({ interval: parseTimeInterval('1 hour'), timesMs: [0, 3_600_000] })).toBe('1 hour')
  })

  it('takes longer partitions for a batch that would leave each of them almost empty', () => {
    expect(choose({ timesMs: days(250) })).toBe('1 month')
    expect(choose({ timesMs: days(5000) })).toBe('1 year')
  })

  it('takes longer ones for a table that nears its bound', () => {
    expect(choose({ existing: 199 })).toBe('7 days')
    expect(choose({ existing: 250 })).toBe('1 month')
    expect(choose({ existing: 400 })).toBe('1 year')
    expect(choose({ existing: 480 })).toBe('10 years')
  })

  it('does not let scattered garbage make a partition of a century', () => {
    expect(choose({ timesMs: days(40, 3000) })).toBe('1 year')
  })

  it('never shortens what the table asks for', () => {
    expect(choose({ interval: parseTimeInterval('10 years'), existing: 250 })).toBe('10 years')
  })
})

it('advises the shortest usual interval that makes so many fewer', () => {
  expect([adviseLonger(week, 2), adviseLonger(week, 10), adviseLonger(parseTimeInterval('1 year'), 1000)]).toEqual(['1 month', '3 months', '100 years'])
})
