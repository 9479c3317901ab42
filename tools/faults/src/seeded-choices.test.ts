import { describe, expect, it } from 'vitest'
import { SeededChoices } from './seeded-choices.ts'

describe('SeededChoices', () => {
  it('gives the same for the same seed, and something else for another', () => {
    const choices = (seed: number): number[] => {
      const random = new SeededChoices(seed)
      return Array.from({ length: 20 }, () => random.below(1000))
    }

    expect(choices(7)).toEqual(choices(7))
    expect(choices(7)).not.toEqual(choices(8))
  })

  it('spreads moments over the span, in order', () => {
    const moments = new SeededChoices(1).moments(50, 10_000)

    expect(moments).toHaveLength(50)
    expect(moments.every((moment, index) => moment >= index * 200 && moment < (index + 1) * 200)).toBe(true)
  })
})
