import { describe, expect, it } from 'vitest'
import { PARTS, parseOptions } from './parse-options.ts'

describe('parseOptions', () => {
  it('runs everything unless told otherwise', () => {
    expect(parseOptions([], {})).toEqual({ parts: PARTS, requireReal: false, files: [], help: false })
  })

  it('runs the parts asked for in their own order, by either spelling of check', () => {
    expect(parseOptions(['--only', 'unit,checks'], {}).parts).toEqual(['check', 'unit'])
  })

  it('names the part that it does not know', () => {
    expect(() => parseOptions(['--only', 'units'], {})).toThrow(/unknown part "units".*check, unit/)
  })

  it.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['', false],
  ])('takes CI=%s as require-real: %s', (CI, expected) => {
    expect(parseOptions([], { CI }).requireReal).toBe(expected)
  })

  it('hands words on as file filters', () => {
    expect(parseOptions(['--only', 'unit', 'packages/clickhouse'], {}).files).toEqual(['packages/clickhouse'])
  })
})
