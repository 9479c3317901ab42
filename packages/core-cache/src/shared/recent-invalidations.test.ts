import { describe, expect, it } from 'vitest'
import { sealEnvelope } from '../codec/envelope.ts'
import { RecentInvalidations } from './recent-invalidations.ts'
import type { Invalidation, RecordedInvalidation } from './shared-cache.ts'

const recorded = (number: number, invalidation: Invalidation, run = 'r1'): RecordedInvalidation => ({ run, number, mark: `m${number}`, origin: 'n', invalidation })

const loadedAfter = (followed: number, run = 'r1'): string =>
  sealEnvelope({ token: 't'.repeat(22), run, followed, loadedAtMs: 0, freshMs: 1, staleMs: 0, loadMs: 0, tags: [], isNothing: false }, '1')

describe('What was invalidated lately', () => {
  function recent(): RecentInvalidations {
    const made = new RecentInvalidations()
    made.begin('r1', [recorded(3, { keys: ['a'], tags: ['t'] }), recorded(4, { patterns: ['b:*'] })])
    return made
  }

  it('is newer than a value whose load began before it, and than no other', () => {
    const made = recent()

    expect([2, 3, 4].map((followed) => made.areNewerThan('a', loadedAfter(followed)))).toEqual([true, false, false])
    expect([3, 4].map((followed) => made.areNewerThan('b:1', loadedAfter(followed)))).toEqual([true, false])
    expect(made.areNewerThan('c', loadedAfter(0))).toBe(false)
    expect([made.newestOfTag('r1', 't'), made.newestOfTag('r1', 'u')]).toEqual([3, 0])
  })

  it('says nothing of another run, nor of what nobody of ours wrote', () => {
    const made = recent()
    made.note(recorded(9, { keys: ['c'] }, 'r0'))

    expect(made.areNewerThan('c', loadedAfter(0))).toBe(false)
    expect(made.areNewerThan('a', loadedAfter(0, 'r0'))).toBe(false)
    expect(made.areNewerThan('a', 'foreign')).toBe(false)
    expect(made.newestOfTag('r0', 't')).toBe(0)
    made.begin('r2', [])
    expect([made.areNewerThan('a', loadedAfter(0, 'r2')), made.newestOfTag('r2', 't')]).toEqual([false, 0])
  })

  it('keeps the newest number, whatever order messages come in, and forgets the oldest names', () => {
    const made = recent()
    made.note(recorded(7, { keys: ['a'] }))
    made.note(recorded(5, { keys: ['a'] }))
    expect(made.areNewerThan('a', loadedAfter(6))).toBe(true)

    made.note(recorded(8, { keys: Array.from({ length: 20_000 }, (_, index) => `other${index}`) }))

    expect([made.areNewerThan('a', loadedAfter(0)), made.areNewerThan('other0', loadedAfter(0))]).toEqual([false, true])
  })
})
