import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob } from './index.ts'
import { matchesGlobByDefinition } from './testing/reference-glob.ts'

describe('compileGlob', () => {
  it('means the same as the definition for any pattern and key', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-', '*', '?', '[', ']', '\\', '^', '!', 'é', '🐳'), maxLength: 8, size: 'max' })
    const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-', '*', '?', '[', ']', '\\', '^', 'é', '🐳'), maxLength: 6, size: 'max' })
    let matched = 0
    fc.assert(
      fc.property(pattern, key, (someGlob, someKey) => {
        const expected = matchesGlobByDefinition(someGlob, someKey)
        if (expected) matched += 1
        expect(compileGlob(someGlob)(someKey)).toBe(expected)
      }),
      { numRuns: 5000 },
    )
    expect(matched).toBeGreaterThan(50)
  })

  it('is not slowed down by many runs', () => {
    const matches = compileGlob(`${'*a'.repeat(50)}b`)
    const before = performance.now()

    expect(matches('a'.repeat(2000))).toBe(false)
    expect(performance.now() - before).toBeLessThan(20_000)
  })

  it('refuses what is no pattern', () => {
    expect(() => compileGlob(undefined as unknown as string)).toThrow(expect.objectContaining({ code: 'ERR_VALIDATION' }))
  })
})
