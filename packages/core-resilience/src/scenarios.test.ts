import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const CATEGORIES = ['breaker, controller', 'breaker, windows', 'breaker, half-open', 'ignored errors', 'slow calls', 'cancellation', 'dispose', 'overflow', 'retry budgets', 'hedging winners', 'bulkhead queues', 'fallback order']

const rows = readFileSync(new URL('../test/scenarios.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| category'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, category = '', scenario = '', file = '', test = '']) => ({ category, scenario, file, test }))

describe('the table of scenarios', () => {
  it('covers every category', () => {
    expect(CATEGORIES.filter((category) => !rows.some((row) => row.category === category))).toEqual([])
  })

  it.each(rows)('$category: $scenario', ({ file, test }) => {
    const titles = [...readFileSync(new URL(file, import.meta.url), 'utf8').matchAll(/(?:it|describe|test)(?:\.each\([\s\S]*?\))?\(\s*(['"`])(.*?)\1/g)].map(([, , title]) => title ?? '')
    const named = readFileSync(new URL(file, import.meta.url), 'utf8')

    expect(titles.some((title) => title.includes(test)) || named.includes(`'${test}'`)).toBe(true)
  })
})
