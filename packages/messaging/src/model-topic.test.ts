import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { modelIdOfTopic, modelTopicName } from './model-topic.ts'
import { isTopicName } from './topic-name.ts'

const modelId = fc.oneof(
  fc.string({ minLength: 1, unit: 'grapheme' }),
  fc.string({ minLength: 1, unit: fc.constantFrom('a', '_', '-', '.', '/', ' ', 'é', '2', '0') }),
  fc.string({ minLength: 1 }).map((rest) => `esc-${rest}`),
  fc.string({ minLength: 200, maxLength: 400 }),
)

describe('modelTopicName', () => {
  it('leaves an id that a topic can have as it is', () => {
    expect(modelTopicName('gpt-4_turbo.v2')).toBe('smartwhale.data.responses.gpt-4_turbo.v2')
  })

  it('makes a legal topic of any id, never the same of two, and the id can be read from it unless it is very long', () => {
    fc.assert(
      fc.property(modelId, modelId, (one, other) => {
        const [first, second] = [modelTopicName(one), modelTopicName(other)]
        expect(isTopicName(first)).toBe(true)
        expect(first === second).toBe(one === other)
        if (!first.includes('.sha-')) expect(modelIdOfTopic(first)).toBe(one)
      }),
      { numRuns: 1_000 },
    )
  })

  it('keeps ids apart that a simple replacement would mix up', () => {
    const ids = ['a b', 'a_b', 'a_20b', 'esc-a_20b', 'a.b', 'A B', 'a/b', 'sha-x']

    expect(new Set(ids.map((id) => modelTopicName(id))).size).toBe(ids.length)
  })

  it('refuses an empty id', () => {
    expect(() => modelTopicName('')).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_INVALID_ARGUMENT' }))
  })
})
