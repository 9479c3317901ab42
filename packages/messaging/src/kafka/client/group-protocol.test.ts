import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './group-protocol.ts'

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex')
const name = fc.string({ minLength: 1, maxLength: 20 })
const partitions = fc.dictionary(name, fc.array(fc.nat()), { noNullPrototype: true }).map((object) => new Map(Object.entries(object)))

describe('what members of a group tell each other', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(name), partitions, fc.integer({ min: -1, max: 1_000_000 }), (topics, owned, generation) => {
        expect(decodeSubscription(encodeSubscription({ topics, owned, generation }))).toEqual({ topics, owned, generation })
        expect(decodeAssignment(encodeAssignment(owned))).toEqual(owned)
      }),
    )
  })

  it('has the bytes of ConsumerProtocolSubscription 2 and ConsumerProtocolAssignment 0', () => {
    const subscription = encodeSubscription({ topics: ['ab'], owned: new Map([['ab', [1]]]), generation: 7 })

    expect(Buffer.from(subscription).toString('hex')).toBe(Buffer.from(hex('0002 00000001 0002 6162 ffffffff 00000001 0002 6162 00000001 00000001 00000007')).toString('hex'))
    expect(Buffer.from(encodeAssignment(new Map([['ab', [0]]]))).toString('hex')).toBe(Buffer.from(hex('0000 00000001 0002 6162 00000001 00000000 ffffffff')).toString('hex'))
  })

  it('is read of newer members, with their rack, and of older ones, which say in bytes of their own since when they own', () => {
    const newer = hex('0003 00000001 0001 61 ffffffff 00000001 0001 61 00000001 00000002 00000009 0004 7261636b')
    const older = hex('0001 00000001 0001 61 00000004 00000005 00000001 0001 61 00000001 00000002')
    const oldest = hex('0000 00000001 0001 61 ffffffff')

    expect(decodeSubscription(newer)).toEqual({ topics: ['a'], owned: new Map([['a', [2]]]), generation: 9 })
    expect(decodeSubscription(older)).toEqual({ topics: ['a'], owned: new Map([['a', [2]]]), generation: 5 })
    expect(decodeSubscription(oldest)).toEqual({ topics: ['a'], owned: new Map(), generation: -1 })
  })

  it('may be nothing, which assigns nothing', () => {
    expect(decodeAssignment(new Uint8Array(0))).toEqual(new Map())
  })

  it('is refused when it is something else, without a look beyond its end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeSubscription(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_MESSAGING_PROTOCOL' })
        }
      }),
    )
    expect(() => decodeSubscription(hex('0002 7fffffff'))).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_PROTOCOL' }))
  })
})
