import { describe, expect, it } from 'vitest'
import type { HotPath } from './hot-path.ts'
import { reportPage } from './report.ts'
import type { HotPathResult } from './results.ts'

const circumstances = { date: new Date('2026-01-31T00:00:00Z'), rounds: 3, notes: ['Measured asleep.'] }

function resultOf(title: string, cost: number): HotPathResult {
  const hotPath = { name: title, title, operation: 'call', measure: 'wall', baseline: 'one' } as HotPath
  return { hotPath, contenders: [{ name: 'one', cost, ratio: { median: 1, p10: 1, p90: 1 } }], goals: [], notes: [] }
}

describe('reportPage', () => {
  it('puts new results in place of older ones, in the order of the hot paths, and keeps the rest', () => {
    const before = reportPage('', [resultOf('first', 11), resultOf('gone', 12), resultOf('last', 13)], ['first', 'gone', 'last'], circumstances)

    const page = reportPage(before, [resultOf('last', 33), resultOf('middle', 22)], ['first', 'middle', 'last'], { ...circumstances, date: new Date('2026-02-01T00:00:00Z') })

    expect([...page.matchAll(/^## (\w+)$|\| one \| (\d+)|Measured on ([\d-]+)/gm)].map(([, title, cost, date]) => title ?? cost ?? date)).toEqual(['first', '11', '2026-01-31', 'middle', '22', '2026-02-01', 'last', '33', '2026-02-01'])
    expect(page.match(/^# Benchmarks/gm)).toHaveLength(1)
    expect(reportPage(page, [], ['first', 'middle', 'last'], circumstances)).toBe(page)
  })
})
