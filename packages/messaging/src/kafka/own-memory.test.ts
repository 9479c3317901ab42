import { describe, expect, it } from 'vitest'
import { giveBack, own, ownCopy, ownMemory } from './own-memory.ts'

const LARGE = 100_000

describe('giveBack', () => {
  it('frees what is known to be nobody else\'s, whichever part of it is shown', () => {
    const [made, copied, declared] = [ownMemory(LARGE), ownCopy(Buffer.alloc(LARGE, 7)), own(Buffer.alloc(LARGE))]
    expect(copied.every((byte) => byte === 7)).toBe(true)

    giveBack(made)
    giveBack(copied.subarray(10, 20))
    giveBack(declared)

    expect([made, copied, declared].map(({ length }) => length)).toEqual([0, 0, 0])
  })

  it('leaves alone what may be of others: what nobody called his own, and what is a part of something', () => {
    const [foreign, pooled] = [Buffer.alloc(LARGE, 1), own(Buffer.from('pooled'))]

    giveBack(foreign)
    giveBack(pooled)

    expect(foreign.length).toBe(LARGE)
    expect(pooled.toString()).toBe('pooled')
  })

  it('uses large memory again, and shows nothing of it to who had it before', () => {
    const memory = ownMemory(1_000_000)
    memory.fill(1)
    const { buffer } = memory

    giveBack(memory)
    const next = ownMemory(900_000).fill(2)

    expect([memory.length, buffer.byteLength, next.length]).toEqual([0, 0, 900_000])
    expect(next.buffer.byteLength).toBe(Math.ceil(1_000_000 / 65_536) * 65_536)
    giveBack(next)
  })

  it('frees once', () => {
    const memory = ownMemory(LARGE)

    giveBack(memory)

    expect(() => giveBack(memory)).not.toThrow()
  })
})
