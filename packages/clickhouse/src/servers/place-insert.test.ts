import { describe, expect, it } from 'vitest'
import { placeInsert } from './place-insert.ts'

describe('placeInsert', () => {
  const homeOf = (key: string): string => `home of ${key}`
  const guard = { query: 'SELECT 0', params: {} }

  it.each([
    ['a table that remembers tokens by itself: its home, and nowhere else', { isReplicated: false, deduplicates: true }, {}, { choice: { pinTo: 'home of t' }, mayRepeat: true }],
    ['a replicated table: its home first, then any other', { isReplicated: true, deduplicates: true }, {}, { choice: { stickTo: 't' }, mayRepeat: true }],
    ['a table that remembers nothing: once, its home first', { isReplicated: false, deduplicates: false }, {}, { choice: { stickTo: 't' }, mayRepeat: false }],
    ['what is guarded: once', { isReplicated: true, deduplicates: true }, { guard }, { choice: { stickTo: 't' }, mayRepeat: false }],
    ['what belongs together: its home', { isReplicated: false, deduplicates: true }, { stickTo: 'ann' }, { choice: { pinTo: 'home of ann' }, mayRepeat: true }],
    ['what is pinned: there', { isReplicated: true, deduplicates: true }, { pinTo: 'a:1', stickTo: 'ann' }, { choice: { pinTo: 'a:1' }, mayRepeat: true }],
  ])('%s', (_name, table, options, place) => {
    expect(placeInsert({ token: 't', ...options }, table, homeOf)).toEqual(place)
  })
})
