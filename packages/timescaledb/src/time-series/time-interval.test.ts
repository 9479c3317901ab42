import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addInterval, approximateMs, formatTimeInterval, intervalToSql, parseTimeInterval, stepAround } from './time-interval.ts'

const HOUR = 3_600_000
const intervals = ['1 second', '15 minutes', '1 hour', '5 hours', '1 day', '7 days', '1 month', '7 months', '1 quarter', '1 year']

describe('parseTimeInterval', () => {
  it.each([
    ['15 minutes', 0, 15 * 60_000],
    ['1h30m', 0, 90 * 60_000],
    ['1 day 2 hours', 0, 26 * HOUR],
    ['PT15M', 0, 15 * 60_000],
    ['P1W', 0, 168 * HOUR],
    ['P1Y2M', 14, 0],
    ['3 months', 3, 0],
    ['1 quarter', 3, 0],
    ['1mo', 1, 0],
    ['250 ms', 0, 250],
  ])('reads %s', (text, months, milliseconds) => {
    expect(parseTimeInterval(text)).toEqual({ months, milliseconds })
  })

  it.each(['', 'x', '15', '-1 day', '0 s', 'P', 'PT', '1 month 1 day', '1 constructor', '9999 years', '1 day,', null, 5])('refuses %s and names the field', (text) => {
    expect(() => parseTimeInterval(text as string, 'chunkInterval')).toThrow(expect.objectContaining({ code: 'ERR_TIMESCALEDB_INPUT', issues: [expect.objectContaining({ path: ['chunkInterval'] })] }))
  })

  it('reads back what it writes', () => {
    const interval = fc.oneof(
      fc.record({ months: fc.integer({ min: 1, max: 1200 }), milliseconds: fc.constant(0) }),
      fc.record({ months: fc.constant(0), milliseconds: fc.integer({ min: 1, max: 1e12 }) }),
    )
    fc.assert(fc.property(interval, (given) => {
        expect([parseTimeInterval(formatTimeInterval(given)), parseTimeInterval(intervalToSql(given))]).toEqual([given, given])
      }))
  })
})

describe('stepAround', () => {
  it('counts weeks from a Monday and months from January, as TimescaleDB does', () => {
    expect(stepAround(new Date('2001-01-03T12:00:00Z'), parseTimeInterval('7 days')).start).toEqual(new Date('2001-01-01T00:00:00Z'))
    expect(stepAround(new Date('1999-12-31T23:00:00Z'), parseTimeInterval('3 months'))).toEqual({ start: new Date('1999-10-01T00:00:00Z'), end: new Date('2000-01-01T00:00:00Z') })
  })

  it('cuts the time line into steps without gap or overlap', () => {
    const moments = fc.date({ min: new Date('0050-01-01'), max: new Date('9000-01-01'), noInvalidDate: true })
    fc.assert(
      fc.property(moments, fc.constantFrom(...intervals), (moment, text) => {
        const interval = parseTimeInterval(text)
        const { start, end } = stepAround(moment, interval)

        expect(start.getTime() <= moment.getTime() && moment.getTime() < end.getTime()).toBe(true)
        expect(stepAround(end, interval).start).toEqual(end)
        expect(stepAround(new Date(end.getTime() - 1), interval).start).toEqual(start)
      }),
    )
  })
})

describe('addInterval', () => {
  it('keeps to the last day of a shorter month', () => {
    expect(addInterval(new Date('2024-01-31T05:00:00Z'), parseTimeInterval('1 month'))).toEqual(new Date('2024-02-29T05:00:00Z'))
    expect(addInterval(new Date('2024-03-31T05:00:00Z'), parseTimeInterval('1 month'), -1)).toEqual(new Date('2024-02-29T05:00:00Z'))
  })

  it('moves by about the length of the interval', () => {
    fc.assert(
      fc.property(fc.constantFrom(...intervals), fc.integer({ min: -50, max: 50 }), (text, times) => {
        const interval = parseTimeInterval(text)
        const moved = addInterval(new Date('2001-06-15T00:00:00Z'), interval, times).getTime() - Date.UTC(2001, 5, 15)
        expect(Math.abs(moved - approximateMs(interval) * times)).toBeLessThan(4 * 24 * HOUR)
      }),
    )
  })
})
