import { describe, expect, it } from 'vitest'
import { resultTable } from './result-table.ts'
import { resultOf } from './results.ts'

const HOT_PATH = { name: 'path', title: 'Path', operation: 'row', measure: 'client CPU', baseline: 'theirs' } as const
const COSTS = new Map([
  ['theirs', [3000, 3300, 2700]],
  ['ours', [1000, 1000, 1000]],
])

describe('resultOf', () => {
  it('puts the fastest first, with its speed against the baseline', () => {
    const { contenders } = resultOf({ ...HOT_PATH, goals: [] }, COSTS)

    expect(contenders.map(({ name, cost, ratio }) => [name, cost, ratio.median])).toEqual([
      ['ours', 1000, 3],
      ['theirs', 3000, 1],
    ])
  })

  it('meets a speed goal exactly at the goal, and misses one just above', () => {
    const goals = [3, 3.01].map((speedAtLeast) => ({ contender: 'ours', against: 'theirs', speedAtLeast }))

    expect(resultOf({ ...HOT_PATH, goals }, COSTS).goals.map(({ met }) => met)).toEqual([true, false])
  })

  it('judges a time goal by the time, not by the speed', () => {
    const goals = [{ contender: 'theirs', against: 'ours', timeAtMost: 3.1 }, { contender: 'theirs', against: 'ours', timeAtMost: 2.9 }]

    expect(resultOf({ ...HOT_PATH, goals }, COSTS).goals.map(({ met, reached }) => [met, reached.median])).toEqual([
      [true, 3],
      [false, 3],
    ])
  })
})

describe('resultTable', () => {
  it('shows contender, cost, ratio, range and verdict', () => {
    const goals = [{ contender: 'ours', against: 'theirs', speedAtLeast: 4 }]

    const text = resultTable(resultOf({ ...HOT_PATH, goals }, COSTS))

    expect(text).toContain('| contender | client CPU, ns a row | speed | p10–p90 |')
    expect(text).toContain('| ours | 1,000 | 3.00× | 2.76–3.24 |')
    expect(text).toContain('| theirs | 3,000 | 1 |  |')
    expect(text).toContain('✗ ours at least 4× as fast as theirs: 3.00× (2.76–3.24)')
  })
})
