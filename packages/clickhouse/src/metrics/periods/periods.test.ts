import { describe, expect, it } from 'vitest'
import { bucketStarts, dateOf, isEdge } from './grain-edges.ts'
import { aYearBefore, periodBetween, resolvePeriod, resolvePoint } from './resolve-period.ts'
import { canonicalZone, formatInstant, offsetAt, toInstant, zoneProblem } from './zoned-time.ts'

const at = (text: string): number => Date.parse(text)
const iso = (ms: number): string => new Date(ms).toISOString()

function period(name: string, now: string, zone: string): [string, string] {
  const found = resolvePeriod(name, at(now), zone)
  if ('problem' in found) return expect.fail(found.problem)
  return [iso(found.fromMs), iso(found.toMs)]
}

describe('local time', () => {
  it('that a clock was put forward over is the moment of the jump', () => {
    // Midnight of 4 November 2018 did not happen in São Paulo.
    expect(iso(toInstant(at('2018-11-04T00:00:00Z'), 'America/Sao_Paulo'))).toBe('2018-11-04T03:00:00.000Z')
    expect(iso(toInstant(at('2026-03-29T02:30:00Z'), 'Europe/Oslo'))).toBe('2026-03-29T01:00:00.000Z')
  })

  it('that happened twice is the first time', () => {
    expect(iso(toInstant(at('2026-10-25T02:30:00Z'), 'Europe/Oslo'))).toBe('2026-10-25T00:30:00.000Z')
  })

  it('is written with its offset, by which two equal hours differ', () => {
    expect(formatInstant(at('2026-10-25T00:00:00Z'), 'Europe/Oslo')).toBe('2026-10-25T02:00:00+02:00')
    expect(formatInstant(at('2026-10-25T01:00:00Z'), 'Europe/Oslo')).toBe('2026-10-25T02:00:00+01:00')
    expect(formatInstant(at('2026-01-01T00:00:00Z'), 'America/St_Johns')).toBe('2025-12-31T20:30:00-03:30')
  })

  it('knows zones by name', () => {
    expect(offsetAt(at('2026-07-01T00:00:00Z'), 'Asia/Kathmandu')).toBe(5.75 * 3_600_000)
    expect(canonicalZone('europe/oslo')).toBe('Europe/Oslo')
    expect([zoneProblem('Europe/Oslo'), zoneProblem('UTC')]).toEqual([undefined, undefined])
    expect(zoneProblem('+05:30')).toMatch(/must be the name of a time zone/)
    expect(zoneProblem("UTC'; DROP TABLE x")).toMatch(/must be the name/)
    expect(zoneProblem('Mars/Olympus')).toMatch(/there is no "Mars\/Olympus"/)
  })
})

describe('a period', () => {
  it.each([
    ['today', '2026-03-29T12:00:00Z', 'Europe/Oslo', ['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z']],
    ['yesterday', '2026-10-26T12:00:00Z', 'Europe/Oslo', ['2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z']],
    ['last_7_days', '2026-04-01T12:00:00Z', 'Europe/Oslo', ['2026-03-24T23:00:00.000Z', '2026-03-31T22:00:00.000Z']],
    ['this_week', '2026-11-22T12:00:00Z', 'UTC', ['2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z']],
    ['last_month', '2026-01-15T12:00:00Z', 'UTC', ['2025-12-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z']],
    ['last_3_months', '2026-05-31T12:00:00Z', 'UTC', ['2026-02-01T00:00:00.000Z', '2026-05-01T00:00:00.000Z']],
    ['this_quarter', '2026-05-31T12:00:00Z', 'UTC', ['2026-04-01T00:00:00.000Z', '2026-07-01T00:00:00.000Z']],
    ['last_24_hours', '2026-05-31T12:34:00Z', 'Asia/Kolkata', ['2026-05-30T12:30:00.000Z', '2026-05-31T12:30:00.000Z']],
    ['last_month', '2026-02-28T22:30:00Z', 'Asia/Tokyo', ['2026-01-31T15:00:00.000Z', '2026-02-28T15:00:00.000Z']],
  ])('%s at %s in %s', (name, now, zone, expected) => {
    expect(period(name, now, zone)).toEqual(expected)
  })

  it.each(['last', 'last_0_days', 'last_7_day', 'this_7_days', 'next_week', 'last_fortnight', ''])('"%s" is refused', (name) => {
    expect(resolvePeriod(name, 0, 'UTC')).toHaveProperty('problem')
  })

  it('is compared with the one before it, of as many buckets', () => {
    const month = resolvePeriod('last_month', at('2026-04-15T00:00:00Z'), 'UTC')
    const days = periodBetween(at('2026-03-28T23:00:00Z'), at('2026-03-29T22:00:00Z'), 'Europe/Oslo')

    expect('problem' in month ? month : iso(month.previous().fromMs)).toBe('2026-02-01T00:00:00.000Z')
    expect(iso(days.previous().fromMs)).toBe('2026-03-27T23:00:00.000Z')
  })

  it('is found again a year before, on 29 February too', () => {
    const span = aYearBefore({ fromMs: at('2024-02-29T00:00:00Z'), toMs: at('2024-03-01T00:00:00Z') }, 'UTC')

    expect([iso(span.fromMs), iso(span.toMs)]).toEqual(['2023-03-01T00:00:00.000Z', '2023-03-01T00:00:00.000Z'])
  })

  it.each([
    ['2026-03-29', 'Europe/Oslo', '2026-03-28T23:00:00.000Z'],
    ['2026-03-29T12:00', 'Europe/Oslo', '2026-03-29T10:00:00.000Z'],
    ['2026-03-29T12:00:00Z', 'Europe/Oslo', '2026-03-29T12:00:00.000Z'],
    ['2026-03-29T12:00:00+05:30', 'UTC', '2026-03-29T06:30:00.000Z'],
  ])('may begin at %s in %s', (text, zone, expected) => {
    const found = resolvePoint(text, zone)
    expect(typeof found === 'number' ? iso(found) : found.problem).toBe(expected)
  })

  it.each(['2026-02-30', '2026-13-01', 'tomorrow', '20260101', ''])('can not begin at "%s"', (text) => {
    expect(resolvePoint(text, 'UTC')).toHaveProperty('problem')
  })
})

describe('buckets', () => {
  const starts = (from: string, to: string, grain: Parameters<typeof bucketStarts>[1], zone: string) =>
    bucketStarts({ fromMs: at(from), toMs: at(to) }, grain, zone, 1000) ?? []

  it('of hours are 23 on the day when the clock is put forward, and 25 when it is put back', () => {
    expect(starts('2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z', 'hour', 'Europe/Oslo')).toHaveLength(23)
    expect(starts('2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z', 'hour', 'Europe/Oslo')).toHaveLength(25)
  })

  it('of days begin at local midnight', () => {
    const days = starts('2026-03-27T23:00:00Z', '2026-03-30T22:00:00Z', 'day', 'Europe/Oslo')

    expect(days.map(iso)).toEqual(['2026-03-27T23:00:00.000Z', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'])
    expect(days.map((day) => dateOf(day, 'Europe/Oslo'))).toEqual(['2026-03-28', '2026-03-29', '2026-03-30'])
  })

  it('of weeks begin on Monday', () => {
    expect(starts('2026-11-18T00:00:00Z', '2026-11-24T00:00:00Z', 'week', 'UTC').map(iso)).toEqual(['2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z'])
  })

  it('are not listed when there are too many', () => {
    expect(bucketStarts({ fromMs: 0, toMs: 1e12 }, 'minute', 'UTC', 1000)).toBeUndefined()
  })

  it('of hours in UTC do not divide a day in India, quarters of an hour do', () => {
    const dayInIndia = at('2026-01-31T18:30:00Z')

    expect([isEdge(dayInIndia, 'day', 'Asia/Kolkata'), isEdge(dayInIndia, 'hour', 'UTC'), isEdge(dayInIndia, 'fifteen_minutes', 'UTC')]).toEqual([true, false, true])
  })
})
