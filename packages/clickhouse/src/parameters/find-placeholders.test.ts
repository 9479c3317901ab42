import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findPlaceholders } from './find-placeholders.ts'

const names = (query: string): string[] =>
  findPlaceholders(query).map((place) => (place.kind === 'positional' ? `$${place.index}` : place.kind === 'named' ? `:${place.name}` : `{${place.name}:${place.type}}`))

describe('findPlaceholders', () => {
  it.each([
    ['SELECT :a', [':a']],
    ['SELECT :a,:b, [:c], (:d), f(:e)', [':a', ':b', ':c', ':d', ':e']],
    ['WHERE x=:x AND y>:y AND z IN :z LIMIT :n OFFSET :m', [':x', ':y', ':z', ':n', ':m']],
    ['SELECT INTERVAL :n DAY, x BETWEEN :a AND :b', [':n', ':a', ':b']],
    ['SELECT :a :: Int64, :a::Int64', [':a', ':a']],
    ['SELECT $1, $2 WHERE x = $10', ['$1', '$2', '$10']],
    ['SELECT {a:UInt8}, { b : Array(String) }', ['{a:UInt8}', '{b:Array(String)}']],
    ["SELECT {e:Enum8('}' = 1)}", ["{e:Enum8('}' = 1)}"]],
    ['INSERT INTO t VALUES (:a, :b)', [':a', ':b']],
  ])('finds the places in %s', (query, expected) => {
    expect(names(query)).toEqual(expected)
  })

  it.each([
    ['a string', "SELECT ':a', 'it''s :a', 'it\\'s :a'"],
    ['a quoted identifier', 'SELECT `x:a`, ":a", "a\\" :a"'],
    ['a line comment', 'SELECT 1 -- :a\n, 2 // :a\n, 3 #! :a\n, 4 # :a'],
    ['nested block comments', 'SELECT /* :a /* :b */ :c */ 1'],
    ['an unfinished comment', 'SELECT 1 /* :a'],
    ['an unfinished string', "SELECT ':a"],
    ['a heredoc', 'SELECT $tag$ :a $tag$, $$:b$$'],
    ['a cast', 'SELECT x::Int64, f(x)::String, 1 ::Int8'],
    ['a JSON path', 'SELECT j.a.:Int64, j.a.:`Array(JSON)`'],
    ['a map literal', "SELECT {'a':b}, {'a' :b}, {1:b}"],
    ['a ternary', 'SELECT c ? a : b, c ?a:b, c ? 1:b, c ? f(x) :b, c ? a :b'],
    ['nested ternaries', 'SELECT c ? d ? 1 :x :y'],
    ['an identifier with a dollar', 'SELECT a$1, $1a'],
    ['a lone colon', 'SELECT a : b, : b'],
    ['the data of an insert', 'INSERT INTO t FORMAT CSV :a, $1'],
  ])('leaves %s alone', (_what, query) => {
    expect(names(query)).toEqual([])
  })

  it('finds parameters in both halves of a ternary', () => {
    expect(names('SELECT c ? :a : :b, :c ? (d ? :e : f) : :g')).toEqual([':a', ':b', ':c', ':e', ':g'])
  })

  it('goes on after what it leaves alone', () => {
    expect(names("SELECT ':x' || :a /* ' */ || :b -- '\n || :c || $q$ ' $q$ || :d")).toEqual([':a', ':b', ':c', ':d'])
  })

  it('tells where each place lies', () => {
    const query = "SELECT 'é😀', :name, $2, {t:String}"
    expect(findPlaceholders(query).map(({ start, end }) => query.slice(start, end))).toEqual([':name', '$2', '{t:String}'])
  })

  it('finds what was put between pieces that hold none', () => {
    const text = fc.string({ unit: fc.constantFrom(':', '$', '?', '{', 'a', '1', '/', '*', '-', ' ', 'é') })
    const quoted = fc.oneof(
      text.map((inner) => `'${inner.replaceAll("'", "''")}'`),
      text.map((inner) => `"${inner.replaceAll('"', '')}"`),
      text.map((inner) => `\`${inner.replaceAll('`', '')}\``),
      text.map((inner) => `/* ${inner.replaceAll('*', '').replaceAll('/', '')} */ 1`),
      text.map((inner) => `-- ${inner}\n 1`),
      text.map((inner) => `$tag$${inner.replaceAll('$', '')}$tag$`),
      fc.constantFrom('x::Int64', "{'a':b}", '(c ? a : b)', 'j.a.:Int64', '1.5', 'f(x)'),
    )
    const name = fc.constantFrom('a', 'b_1', 'Long')
    fc.assert(
      fc.property(fc.array(fc.tuple(quoted, name), { maxLength: 8 }), (pieces) => {
        const query = `SELECT ${pieces.map(([piece, parameter]) => `${piece} + :${parameter}`).join(', ')}`
        expect(names(query)).toEqual(pieces.map(([, parameter]) => `:${parameter}`))
      }),
    )
  })

  it('never throws and never overlaps, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...":$?{}[]()'`\"/*-#\n\\ .aB1é‘’".split('')), maxLength: 60 }), (query) => {
        let end = 0
        for (const place of findPlaceholders(query)) {
          expect(place.start).toBeGreaterThanOrEqual(end)
          expect(place.end).toBeGreaterThan(place.start)
          end = place.end
        }
        expect(end).toBeLessThanOrEqual(query.length)
      }),
    )
  })
})
