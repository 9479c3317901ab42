import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseIsoTime } from './parse-time.ts'
import { TimeRange, timeRangeSchema } from './time-range.ts'

const now = Date.UTC(2001, 0, 31, 12)
const clock = { now: () => now }
const day = (text: string): Date => new Date(`${text}T00:00:00Z`)

describe('TimeRange', () => {
  it('holds its start and not its end', () => {
    const january = new TimeRange('2001-01-01', '2001-02-01')

    expect([january.contains(day('2001-01-01')), january.contains(new Date('2001-01-31T23:59:59.999Z')), january.contains(day('2001-02-01'))]).toEqual([true, true, false])
  })

  it.each([
    ['2001-01-01/2001-02-01', '2001-01-01T00:00:00.000Z/2001-02-01T00:00:00.000Z'],
    ['2001-01-01/P1M', '2001-01-01T00:00:00.000Z/2001-02-01T00:00:00.000Z'],
    ['PT6H/2001-01-01', '2000-12-31T18:00:00.000Z/2001-01-01T00:00:00.000Z'],
    ['last 15 minutes', '2001-01-31T11:45:00.000Z/2001-01-31T12:00:00.000Z'],
    ['-1d', '2001-01-30T12:00:00.000Z/2001-01-31T12:00:00.000Z'],
    ['now-2h/now-1h', '2001-01-31T10:00:00.000Z/2001-01-31T11:00:00.000Z'],
  ])('reads %s', (text, expected) => {
    expect(TimeRange.parse(text, { clock }).toString()).toBe(expected)
  })

  it.each(['', 'last', 'last week and a bit', '2001-01-01/2001-01-02/2001-01-03', '2001-02-01/2001-01-01', 'P1D/P1D', '/2001-01-01', '1d'])('refuses "%s"', (text) => {
    expect(() => TimeRange.parse(text, { clock })).toThrow(expect.objectContaining({ code: 'ERR_TIMESCALEDB_INPUT' }))
  })

  it('can not be changed through the dates that it gives', () => {
    const range = new TimeRange('2001-01-01', '2001-02-01')
    range.start.setUTCFullYear(1999)

    expect(range.start).toEqual(day('2001-01-01'))
    expect(Object.isFrozen(range)).toBe(true)
  })

  it('splits into pieces that together are the range again', () => {
    const steps = fc.constantFrom('1 hour', '7 hours', '1 day', '1 month', '1 year')
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 0, max: 500_000 }), steps, (minutes, offset, step) => {
        const start = Date.UTC(2000, 0, 31) + offset * 60_000
        const range = new TimeRange(start, start + minutes * 60_000)
        const pieces = range.split(step)

        expect(pieces[0]?.startMs).toBe(range.startMs)
        expect(pieces.at(-1)?.endMs).toBe(range.endMs)
        expect(pieces.slice(1).every((piece, index) => piece.startMs === pieces[index]?.endMs)).toBe(true)
      }),
    )
  })

  it('names the whole buckets that it touches', () => {
    const buckets = new TimeRange('2001-01-31T10:30:00Z', '2001-03-01').buckets('1 month')

    expect(buckets.map(String)).toEqual(['2001-01-01T00:00:00.000Z/2001-02-01T00:00:00.000Z', '2001-02-01T00:00:00.000Z/2001-03-01T00:00:00.000Z'])
  })

  it('intersects by what both hold', () => {
    const january = new TimeRange('2001-01-01', '2001-02-01')

    expect(january.intersect(new TimeRange('2001-01-20', '2001-03-01'))?.toString()).toBe('2001-01-20T00:00:00.000Z/2001-02-01T00:00:00.000Z')
    expect(january.intersect(new TimeRange('2001-02-01', '2001-03-01'))).toBeNull()
  })

  it('refuses to be cut into more pieces than fit', () => {
    expect(() => new TimeRange('2001-01-01', '2002-01-01').buckets('1 ms')).toThrow(/more than 100000 pieces/)
  })

  it('is read by its zod schema, with the reason when it can not be', () => {
    expect(timeRangeSchema.parse({ start: '2001-01-01', end: day('2001-01-02') }).durationMs).toBe(86_400_000)
    expect(timeRangeSchema.safeParse({ start: '2001-01-02', end: '2001-01-01' }).error?.issues[0]?.message).toMatch(/after start/)
  })
})

describe('parseIsoTime', () => {
  it.each([
    ['2001-01-01', '2001-01-01T00:00:00.000Z'],
    ['2001-01-01T10:00+02', '2001-01-01T08:00:00.000Z'],
    ['2001-01-01 10:00:00.123000+0530', '2001-01-01T04:30:00.123Z'],
    ['2001-01-01T10:00:00', '2001-01-01T10:00:00.000Z'],
  ])('reads %s', (text, expected) => {
    expect(parseIsoTime(text)?.toISOString()).toBe(expected)
  })

  it.each(['2001-02-30', '2001-13-01', '20010101', '2001-01-01T25:00Z', 'yesterday', '2001-01-01T10:00:00.123456Z'])('takes %s for no time that a Date can hold', (text) => {
    expect(parseIsoTime(text)).toBeUndefined()
  })

  it('cuts microseconds off when asked to', () => {
    expect(parseIsoTime('2001-01-01T10:00:00.123456Z', 'cut')?.toISOString()).toBe('2001-01-01T10:00:00.123Z')
  })
})
