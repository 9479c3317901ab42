import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { columnBatchOf, type GivenColumn } from '../../test/fixtures/column-batch-of.ts'
import { parseTimeInterval } from '../time-series/time-interval.ts'
import { planMissing, toPostgresTime } from './create-partitions.ts'
import { PartitionCoverage } from './partition-coverage.ts'

const HOUR = 3_600_000
const table = (interval: string) => ({ schema: 'public', name: 'flights', timeColumn: 'at', timeType: 'timestamptz' as const, interval: parseTimeInterval(interval) })
const bounds = (fromMs: number, toMs: number) => ({ name: 'p', fromMs, toMs })
const intervals = fc.constantFrom('1 hour', '1 day', '7 days', '1 month', '1 year')
const times = fc.array(fc.integer({ min: 0, max: 5 * 365 * 24 }).map((hours) => hours * HOUR), { maxLength: 30 })

describe('planMissing', () => {
  it('covers every moment without overlap, whatever partitions of other lengths lie around', () => {
    fc.assert(
      fc.property(times, times, intervals, intervals, (before, moments, first, second) => {
        const existing = planMissing([], before, parseTimeInterval(first))
        const all = [...existing, ...planMissing(existing, moments, parseTimeInterval(second))].sort((a, b) => a.fromMs - b.fromMs)

        expect(all.every(({ fromMs, toMs }, index) => fromMs < toMs && (all[index + 1]?.fromMs ?? Infinity) >= toMs)).toBe(true)
        expect([...before, ...moments].every((moment) => all.some(({ fromMs, toMs }) => moment >= fromMs && moment < toMs))).toBe(true)
      }),
    )
  })
})

describe('PartitionCoverage', () => {
  it('asks for one moment of each partition that is to be made, which makes them all', () => {
    fc.assert(
      fc.property(times, times, intervals, intervals, (before, moments, first, second) => {
        const existing = planMissing([], before, parseTimeInterval(first)).map(({ fromMs, toMs }) => bounds(fromMs, toMs))
        const missing = new PartitionCoverage(table(second), existing).missing(moments)
        const made = planMissing(existing, missing, parseTimeInterval(second)).map(({ fromMs, toMs }) => bounds(fromMs, toMs))

        expect(made).toHaveLength(missing.length)
        expect(new PartitionCoverage(table(second), [...existing, ...made]).missing(moments)).toEqual([])
      }),
    )
  })

  it('names rows whose time no partition can hold, and never their value', () => {
    const { refused, missingMs } = new PartitionCoverage(table('1 day'), []).ofRows([{ at: new Date(0) }, { at: null }, {}, { at: 'infinity' }, { at: new Date(Number.NaN) }, { at: '1970-01-01T00:00:00.123456Z' }])

    expect(refused.map(({ index }) => index)).toEqual([1, 2, 3, 4])
    expect(refused[2]?.reason).toMatch(/^column "at" must be a moment/)
    expect(refused.map(({ reason }) => reason).join()).not.toContain('infinity')
    expect(missingMs).toEqual([0])
  })

  it('asks for the same of columns as of their rows', () => {
    fc.assert(
      fc.property(times, times, intervals, intervals, (before, moments, first, second) => {
        const existing = planMissing([], before, parseTimeInterval(first)).map(({ fromMs, toMs }) => bounds(fromMs, toMs))
        const coverage = new PartitionCoverage(table(second), existing)
        const dates = moments.map((moment) => new Date(moment))
        const dayTexts = dates.map((date) => date.toISOString().slice(0, 10))

        expect(coverage.ofColumns(columnBatchOf(dates.length, [{ name: 'at', layout: 'milliseconds', values: dates }]))).toEqual(coverage.ofRows(dates.map((at) => ({ at }))).missingMs)
        expect(coverage.ofColumns(columnBatchOf(dayTexts.length, [{ name: 'at', layout: 'days', values: dayTexts }]))).toEqual(coverage.ofRows(dayTexts.map((at) => ({ at }))).missingMs)
      }),
    )
  })

  it.each<[string, GivenColumn]>([
    ['that lack the time', { name: 'other', layout: 'milliseconds', values: [new Date(0)] }],
    ['with a row without time', { name: 'at', layout: 'milliseconds', values: [null], nullable: true }],
    ['of times as texts', { name: 'at', layout: 'text', values: ['1970-01-01'] }],
    ['with a time before the calendar begins', { name: 'at', layout: 'milliseconds', values: [new Date(-8.64e15)] }],
  ])('leaves columns %s to their rows', (_what, column) => {
    expect(new PartitionCoverage(table('1 day'), []).ofColumns(columnBatchOf(1, [column]))).toBeNull()
  })

  it('looks once at a time that all rows have', () => {
    const batch = columnBatchOf(1000, [{ name: 'at', layout: 'milliseconds', values: [new Date(HOUR)], isConstant: true }])

    expect(new PartitionCoverage(table('1 day'), []).ofColumns(batch)).toEqual([HOUR])
  })
})

it('writes times before Christ as PostgreSQL reads them', () => {
  expect([toPostgresTime(new Date('2001-01-01T00:00:00Z')), toPostgresTime(new Date(Date.UTC(-1, 0, 1)))]).toEqual(['2001-01-01 00:00:00.000', '0002-01-01 00:00:00.000 BC'])
})
