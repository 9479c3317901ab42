import { describe, expect, it } from 'vitest'
import { RecentTexts } from './recent-texts.ts'

describe('what was made of the latest texts', () => {
  it.each([
    ['short', 1],
    ['long', 10_000],
  ])('takes no more memory than it may, also for %s ones, and forgets the oldest first', (_kind, length) => {
    const texts = new RecentTexts<number>(100_000)
    const textOf = (number: number): string => String(number).padStart(length)
    for (let number = 0; number < 1_000; number++) texts.add(textOf(number), number)

    const known = Array.from({ length: 1_000 }, (_, number) => number).filter((number) => texts.get(textOf(number)) !== undefined)

    expect(known.length * (1_000 + length)).toBeGreaterThan(40_000)
    expect(known.length * (1_000 + length)).toBeLessThanOrEqual(100_000)
    expect(known).toEqual(Array.from({ length: known.length }, (_, number) => 1_000 - known.length + number))
    expect(texts.get(textOf(999))).toBe(999)
  })
  it('is kept when a text comes that would take more than half of the room', () => {
    const texts = new RecentTexts<string>(100_000)
    texts.add('short', 'kept')
    texts.add('x'.repeat(30_000), 'too long')

    expect([texts.get('short'), texts.get('x'.repeat(30_000))]).toEqual(['kept', undefined])
  })
})
