import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MOST_LEVELS, nestsTooDeeply } from './nesting.ts'
import { parseEvent, type ParsedEvent } from './parse-event.ts'

const nested = (levels: number, inner = '1'): Buffer => Buffer.from(`${'[{"a":'.repeat(levels / 2)}${inner}${'}]'.repeat(levels / 2)}`)

describe('how deep an event nests', () => {
  it('may be as deep as the bound, and no deeper', () => {
    expect(nestsTooDeeply(nested(MOST_LEVELS, `"${'x'.repeat(2 * MOST_LEVELS)}"`))).toBe(false)
    expect(nestsTooDeeply(nested(MOST_LEVELS, `["${'x'.repeat(2 * MOST_LEVELS)}"]`))).toBe(true)
  })

  it('is as deep as the brackets that stand outside of its texts, whatever the texts hold', () => {
    const text = fc.string({ unit: fc.constantFrom('[', ']', '{', '}', '"', '\\', 'ä', '\u{1f600}'), minLength: 3 * MOST_LEVELS, maxLength: 3 * MOST_LEVELS })
    const levels = fc.integer({ min: MOST_LEVELS / 2 - 3, max: MOST_LEVELS / 2 + 3 }).map((half) => 2 * half)

    fc.assert(
      fc.property(text, levels, (written, deep) => {
        expect(nestsTooDeeply(nested(deep, JSON.stringify(written)))).toBe(deep > MOST_LEVELS)
      }),
      { numRuns: 50 },
    )
  })

  it('is said of an event before it is parsed', () => {
    const into: ParsedEvent = { object: {}, origin: 'any' }

    expect(parseEvent(Buffer.from(`{"note":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), false, into)).toMatchObject({ code: 'undecodable', reason: 'the message nests more than 1000 levels deep' })
    expect(parseEvent(Buffer.from(`{"note":${'['.repeat(999)}${']'.repeat(999)},"padding":"${' '.repeat(100)}"}`), false, into)).toBeNull()
  })
})
