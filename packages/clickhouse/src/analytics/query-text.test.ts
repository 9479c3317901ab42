import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sqlTokens } from '../sql-tokens.ts'
import { describeQuery, materializedInto } from './query-text.ts'

const tablesOf = (query: string): unknown => {
  const { tables } = describeQuery(query)
  return tables === 'any'
    ? 'any'
    : tables.named.map(
        ({ database, name, maybeSubquery }) => `${database === undefined ? '' : `${database}.`}${name}${maybeSubquery ? '?' : ''}`,
      )
}

/** Any character: fast-check's own `binary` takes seconds to make. */
const anyCharacter = fc.oneof(fc.nat(0x7f), fc.nat(0x10f7ff)).map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800))

describe('the tables of a query', () => {
  it.each([
    ['SELECT 1', []],
    ['SELECT * FROM flights', ['flights']],
    ['select * from db.flights final', ['db.flights']],
    ['FROM flights SELECT origin, delay', ['flights']],
    ['SELECT * FROM `my table`, "other" AS o, db . third', ['my table', 'other', 'db.third']],
    ['SELECT a, b FROM x AS limit, y', ['x', 'y']],
    ['SELECT * FROM a LEFT JOIN b ON a.x = b.x, c', ['a', 'b', 'c']],
    ['SELECT * FROM a ARRAY JOIN list AS l, other JOIN b USING x', ['a', 'b']],
    ['SELECT * FROM (SELECT * FROM inner_one) AS s, second', ['inner_one', 'second']],
    ['SELECT x FROM a WHERE y IN (SELECT y FROM b) AND z IN c AND z NOT IN (1, 2)', ['a', 'b', 'c']],
    ['SELECT x FROM a WHERE y IN {list:Array(UInt8)} AND z IN [1, 2] AND s IN tuple(1, 2)', ['a']],
    ['WITH s AS (SELECT * FROM s) SELECT * FROM s', ['s?', 's?']],
    ['WITH 1 AS x SELECT x, (SELECT max(t) FROM times) FROM numbers(10)', ['times']],
    ["SELECT extract(YEAR FROM at), trim(BOTH '-' FROM name) FROM a", ['a']],
    ['SELECT a IS NOT DISTINCT FROM b FROM c', ['c']],
    ["SELECT 'FROM x' AS t, -- FROM y\n 1 /* FROM z */ FROM a", ['a']],
    ['SELECT * FROM a UNION ALL SELECT * FROM b ORDER BY c, d LIMIT 1, 2 SETTINGS e = 1, f = 2', ['a', 'b']],
    ['SELECT t.from, t.join FROM t', ['t']],
    ['SELECT x AS from FROM t', ['t']],
    ['SELECT * FROM a SAMPLE 1 / 10 OFFSET 1 / 2, b', ['a', 'b']],
    ['((SELECT 1 FROM a) UNION ALL (SELECT 2 FROM b))', ['a', 'b']],
  ])('%s: %o', (query, tables) => {
    expect(tablesOf(query)).toEqual(tables)
  })

  it.each([
    "SELECT * FROM remote('host', db.t)",
    "SELECT * FROM file('x.csv')",
    "SELECT * FROM merge('^t')",
    'SELECT * FROM {table:Identifier}',
    'SELECT * FROM (a JOIN b USING x)',
    'SELECT * FROM a.b.c',
    'SELECT 1 FROM a WHERE x IN {table:Identifier}',
    'SELECT in(1, t) FROM a',
    "SELECT joinGet('t', 'c', 1) FROM a",
    "SELECT dictGetString('d', 'c', 1)",
    'SHOW TABLES',
    'DESCRIBE TABLE a',
    'EXPLAIN SELECT * FROM a',
    '',
  ])('can not be told from the text: %s', (query) => {
    expect(tablesOf(query)).toBe('any')
  })
})

describe('two texts of a query', () => {
  it('are the same when they differ in spaces and comments alone', () => {
    const one = describeQuery("SELECT  a,\n b -- why\nFROM t /* nested /* comment */ */ WHERE s = 'x  y' ;")

    expect(describeQuery("SELECT a, b FROM t WHERE s = 'x  y'").hash).toBe(one.hash)
  })

  it.each([
    ["SELECT 'a  b'", "SELECT 'a b'"],
    ['SELECT `a  b`', 'SELECT `a b`'],
    ['SELECT a -- b', 'SELECT a - - b'],
    ['SELECT 1 AS a', 'SELECT 1 AS A'],
    ['SELECT ab', 'SELECT a b'],
    ["SELECT 'a''b'", "SELECT 'a' 'b'"],
    ["SELECT '--'", "SELECT '' --'"],
  ])('stay apart: %s and %s', (one, other) => {
    expect(describeQuery(one).hash).not.toBe(describeQuery(other).hash)
  })
})

describe('a statement', () => {
  it.each([
    'SELECT 1',
    ' /* x */ with a as (select 1) select * from a',
    '(SELECT 1)',
    'FROM t SELECT 1',
    'show tables',
    'DESC t',
    'EXPLAIN SELECT 1',
    'EXISTS TABLE t',
  ])('reads: %s', (query) => {
    expect(describeQuery(query).reads).toBe(true)
  })

  it.each(['INSERT INTO t SELECT 1', 'DROP TABLE t', '-- SELECT\nTRUNCATE t', 'SET x = 1', ';', "'SELECT'", '`SELECT`', 'SELECTED'])(
    'does not: %s',
    (query) => {
      expect(describeQuery(query).reads).toBe(false)
    },
  )
})

describe('the target of a materialized view', () => {
  it.each([
    ['CREATE MATERIALIZED VIEW a.mv TO a.daily (`d` Date) AS SELECT 1', 'a.daily'],
    ['CREATE MATERIALIZED VIEW a.mv TO `b c`.`d.e` AS SELECT 1', 'b c.d.e'],
    ['CREATE MATERIALIZED VIEW a.mv REFRESH EVERY 1 HOUR TO a.t (x Int8) AS SELECT 1', 'a.t'],
    ['CREATE MATERIALIZED VIEW a.mv (`to` Date) ENGINE = MergeTree ORDER BY d AS SELECT 1', undefined],
  ])('%s', (statement, target) => {
    expect(materializedInto(statement)).toBe(target)
  })
})

describe('tokens', () => {
  it('cover every text in order, without overlap', () => {
    const pieces = ["'", '"', '`', '\\', '--', '/*', '*/', '$$', '$a$', '\n', ' ', 'a', '1.5', ';', '{', '‘', '’', '💡', '#!']
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: anyCharacter }),
          fc.array(fc.constantFrom(...pieces)).map((list) => list.join('')),
        ),
        (text) => {
          let at = 0
          for (const { start, end, text: own } of sqlTokens(text)) {
            expect(start).toBeGreaterThanOrEqual(at)
            expect(end).toBeGreaterThan(start)
            expect(own).toBe(text.slice(start, end))
            at = end
          }
          expect(at).toBeLessThanOrEqual(text.length)
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('find strings with everything that may stand in them', () => {
    const quoted = fc.string().map((value) => ({ value, text: `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'` }))
    fc.assert(
      fc.property(fc.array(quoted, { minLength: 1 }), (strings) => {
        const found = [...sqlTokens(strings.map(({ text }) => text).join(' , '))].filter(({ kind }) => kind === 'string')
        expect(found.map(({ text }) => text)).toEqual(strings.map(({ text }) => text))
      }),
    )
  })
})
