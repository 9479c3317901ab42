import { describe, expect, it } from 'vitest'
import { readQuery, type QueryParameters } from './time-series-request.ts'

const clock = { now: () => Date.UTC(2001, 0, 31, 12) }
const read = (parameters: QueryParameters) => readQuery(parameters, ['start', 'end', 'range', 'limit', 'cursor', 'order'], clock)

describe('readQuery', () => {
  it('takes every other parameter for a filter by the column of that name', () => {
    expect(read({ start: '2001-01-01', origin: 'JFK', 'delay[gte]': '30', 'delay[lt]': '60', 'carrier[in]': 'AA, UA', 'gate[null]': 'true' }).filter).toEqual({
      origin: { eq: 'JFK' },
      delay: { gte: '30', lt: '60' },
      carrier: { in: ['AA', 'UA'] },
      gate: { eq: null },
    })
  })

  it('takes a repeated parameter for "either", and a column with the name of a parameter by filter[…]', () => {
    expect(read({ origin: ['JFK', 'LAX'], 'filter[start]': 'a', 'filter[end][ne]': 'b' }).filter).toEqual({ origin: { in: ['JFK', 'LAX'] }, start: { eq: 'a' }, end: { ne: 'b' } })
  })

  it('reads times relative to now, and a plus sign that nobody escaped', () => {
    expect(read({ start: '-1d', end: 'now' }).range).toEqual({ start: new Date('2001-01-30T12:00:00Z'), end: new Date('2001-01-31T12:00:00Z') })
    expect(read({ start: '2001-01-01T00:00:00 02:00' }).range.start).toEqual(new Date('2000-12-31T22:00:00Z'))
    expect(read({ range: 'last 2 hours' }).range.start).toEqual(new Date('2001-01-31T10:00:00Z'))
  })

  it.each<[QueryParameters, string]>([
    [{ start: 'noon' }, 'start'],
    [{ start: '2001-02-01', end: '2001-01-01' }, 'end'],
    [{ start: '2001-02-01', range: '-1d' }, 'range'],
    [{ limit: '-1' }, 'limit'],
    [{ limit: ['1', '2'] }, 'limit'],
    [{ order: 'up' }, 'order'],
    [{ interval: '1 day' }, 'interval'],
    [{ 'delay[gte]': ['1', '2'] }, 'delay[gte]'],
    [{ 'delay[null]': 'maybe' }, 'delay[null]'],
    [Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`c${index}`, '1'])), 'parameters'],
  ])('refuses %j and names %s', (parameters, field) => {
    expect(() => read(parameters)).toThrow(expect.objectContaining({ status: 400, issues: [expect.objectContaining({ path: [field] })] }))
  })

  it('does not mistake names of object properties for parameters', () => {
    expect(Object.keys(read(JSON.parse('{"__proto__":"1","constructor":"2"}') as QueryParameters).filter)).toEqual(['__proto__', 'constructor'])
  })
})
