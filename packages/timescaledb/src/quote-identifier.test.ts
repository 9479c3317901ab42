import { describe, expect, it } from 'vitest'
import { quoteIdentifier, quoteLiteral, quoteTable } from './quote-identifier.ts'

describe('quoting', () => {
  it.each([
    ['plain', '"plain"'],
    ['with space', '"with space"'],
    ['a"b', '"a""b"'],
    ['"; drop table x; --', '"""; drop table x; --"'],
    ['é'.repeat(31), `"${'é'.repeat(31)}"`],
  ])('quotes %j', (name, quoted) => {
    expect(quoteIdentifier(name)).toBe(quoted)
  })

  it.each([[''], ['a\0b'], ['x'.repeat(64)], ['é'.repeat(32)], [undefined as unknown as string], [null as unknown as string]])('refuses %j', (name) => {
    expect(() => quoteIdentifier(name, 'column')).toThrow(expect.objectContaining({ code: 'ERR_TIMESCALEDB_INPUT', issues: [expect.objectContaining({ path: ['column'] })] }))
  })

  it('quotes a schema and its table apart', () => {
    expect(quoteTable('public.flights')).toBe('"public"."flights"')
    expect(quoteTable('flights')).toBe('"flights"')
    expect(() => quoteTable('a.b.c')).toThrow(/more than one dot/)
    expect(() => quoteTable('.b')).toThrow(/empty/)
  })

  it('quotes literals, backslashes too', () => {
    expect(quoteLiteral(`it's`)).toBe(`'it''s'`)
    expect(quoteLiteral(`a\\'b`)).toBe(`E'a\\\\''b'`)
  })
})
