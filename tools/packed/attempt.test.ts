import { describe, expect, it } from 'vitest'
import { attempt, inParallel } from './attempt.ts'

describe('attempt', () => {
  it('passes when there is no problem, and tells the problems or the exception otherwise', async () => {
    expect(await attempt('a', async () => [])).toEqual({ name: 'a', state: 'passed' })
    expect(await attempt('a', async () => ['one', 'two'])).toEqual({ name: 'a', state: 'failed', reason: 'one\ntwo' })
    expect(await attempt('a', () => Promise.reject(new Error('broken')))).toEqual({ name: 'a', state: 'failed', reason: 'broken' })
  })
})

describe('inParallel', () => {
  it('keeps the order of the results, and no more than its width at work', async () => {
    let busy = 0
    let most = 0

    const results = await inParallel([30, 1, 20, 1], 2, async (ms) => {
      most = Math.max(most, ++busy)
      await new Promise((resolve) => setTimeout(resolve, ms))
      busy -= 1
      return ms
    })

    expect(results).toEqual([30, 1, 20, 1])
    expect(most).toBe(2)
  })
})
