import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ValidationError } from '@smart-whale/interfaces'
import { splitJson, splitLines } from './split-events.ts'

const texts = (events: readonly Buffer[]): string[] => events.map(String)

describe('splitJson', () => {
  it('gives the bytes of each element, whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue())), fc.constantFrom(0, 1, 2), (events, indent) => {
        const parts = splitJson(Buffer.from(JSON.stringify(events, null, indent)))
        expect(parts.map((part) => JSON.parse(String(part)) as unknown)).toEqual(JSON.parse(JSON.stringify(events)))
      }),
    )
  })

  it('keeps digits that a parse would change', () => {
    expect(texts(splitJson(Buffer.from(' [ {"n":12345678901234567890} , {"n":0.10} ] ')))).toEqual(['{"n":12345678901234567890}', '{"n":0.10}'])
  })

  it('takes one object for one event', () => {
    expect(texts(splitJson(Buffer.from('{"a":[1,2]}')))).toEqual(['{"a":[1,2]}'])
  })

  it('refuses what is neither', () => {
    for (const body of ['1', '"a"', '[1', 'x', '']) expect(() => splitJson(Buffer.from(body))).toThrow(ValidationError)
  })
})

describe('splitLines', () => {
  it('passes over blank lines and carriage returns', () => {
    expect(texts(splitLines(Buffer.from('{"a":1}\r\n\n  {"a":2}\n{"a":3}')))).toEqual(['{"a":1}', '{"a":2}', '{"a":3}'])
  })
})
