import { describe, expect, it } from 'vitest'
import type { Outcome } from './outcome.ts'
import { judge, summarize } from './summary.ts'

const outcomes: Outcome[] = [
  { name: 'a', state: 'passed' },
  { name: 'b', state: 'failed', reason: 'expected 1\ngot 2' },
  { name: 'c', state: 'skipped', reason: 'needs Chromium: apt install chromium' },
]

describe('summarize', () => {
  it('names failures and skips with their reasons, and ends with the count', () => {
    expect(summarize(outcomes)).toEqual([
      '',
      '── failed',
      '  b',
      '      expected 1',
      '      got 2',
      '',
      '── skipped',
      '  c',
      '      needs Chromium: apt install chromium',
      '',
      '1 passed, 1 failed, 1 skipped',
    ])
  })

  it('is one line when there is nothing to explain', () => {
    expect(summarize([{ name: 'a', state: 'passed' }])).toEqual(['', '1 passed, 0 failed, 0 skipped'])
  })
})

describe('judge', () => {
  it('lets a missing engine pass as skipped on a laptop, not where real engines are required', () => {
    expect(judge(outcomes, { requireReal: false }).at(-1)?.state).toBe('skipped')
    expect(judge(outcomes, { requireReal: true }).at(-1)?.state).toBe('failed')
  })

  it('leaves a test alone that is skipped for another reason', () => {
    expect(judge([{ name: 'a', state: 'skipped', reason: 'Windows has no signals' }], { requireReal: true })[0]?.state).toBe('skipped')
  })
})
