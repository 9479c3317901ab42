import { describe, expect, it } from 'vitest'
import { optimizeQuery } from './query-optimizer.ts'

describe('optimizeQuery', () => {
  it.each([
    ['SELECT a FROM t WHERE a = 1 AND b = 2 AND a = 1', 'SELECT a FROM t WHERE a = 1 AND b = 2', ['repeated-condition']],
    ['SELECT a FROM t WHERE 1 = 1 AND a > 2', 'SELECT a FROM t WHERE a > 2', ['constant-condition']],
    ['SELECT a FROM t WHERE true', 'SELECT a FROM t', ['constant-condition']],
    ['SELECT a FROM t WHERE 1 GROUP BY a', 'SELECT a FROM t GROUP BY a', ['constant-condition']],
    ['SELECT a, b FROM t GROUP BY a, b, a ORDER BY a DESC, b, a', 'SELECT a, b FROM t GROUP BY a, b ORDER BY a DESC, b', ['repeated-key', 'repeated-key']],
    ['SELECT a, count() FROM t GROUP BY a HAVING a > 5 AND count() > 1', 'SELECT a, count() FROM t WHERE a > 5 GROUP BY a HAVING count() > 1', ['having-to-where']],
    ['SELECT a, count() FROM t WHERE b = 1 OR c = 2 GROUP BY a HAVING a IN (1, 2)', 'SELECT a, count() FROM t WHERE (b = 1 OR c = 2) AND a IN (1, 2) GROUP BY a', ['having-to-where']],
    ['SELECT a FROM t GROUP BY a HAVING a BETWEEN {x:Int8} AND :y AND a < $1', 'SELECT a FROM t WHERE (a BETWEEN {x:Int8} AND :y) AND a < $1 GROUP BY a', ['having-to-where', 'having-to-where']],
    ['SELECT DISTINCT a, count() AS n FROM t GROUP BY a', 'SELECT a, count() AS n FROM t GROUP BY a', ['distinct-groups']],
    ['SELECT a FROM t WHERE a IN (SELECT DISTINCT b FROM u ORDER BY b DESC, c)', 'SELECT a FROM t WHERE a IN (SELECT b FROM u)', ['order-in-set', 'distinct-in-set']],
    ['SELECT x FROM (SELECT a AS x FROM t WHERE a = 1 AND a = 1) WHERE x > 0 ;', 'SELECT x FROM (SELECT a AS x FROM t WHERE a = 1) WHERE x > 0 ;', ['repeated-condition']],
    ["SELECT a -- WHERE b\n FROM t /* HAVING */ WHERE s = 'a AND a' -- x\n AND s = 'a AND a' -- y\n", "SELECT a -- WHERE b\n FROM t /* HAVING */ WHERE s = 'a AND a' -- y\n", ['repeated-condition']],
  ])('makes of %s', (query, wanted, rules) => {
    const { query: found, rewrites } = optimizeQuery(query)

    expect(found).toBe(wanted)
    expect(rewrites.map(({ rule }) => rule)).toEqual(rules)
    expect(rewrites.every(({ reason }) => reason.length > 20)).toBe(true)
  })

  it.each([
    ['an OR', 'SELECT a FROM t WHERE a = 1 OR a = 1 AND a = 1'],
    ['something that may be another each time', 'SELECT a FROM t WHERE rand() % 2 = 0 AND rand() % 2 = 0'],
    ['what multiplies rows', 'SELECT DISTINCT a, arrayJoin(b) FROM t GROUP BY a, b'],
    ['groups of which not all keys are selected', 'SELECT DISTINCT a FROM t GROUP BY a, b'],
    ['rows that are more than the groups', 'SELECT DISTINCT a FROM t GROUP BY a WITH ROLLUP'],
    ['a name that the query gives to something else', 'SELECT b AS a, count() FROM t GROUP BY a HAVING a > 5'],
    ['a name that is given without AS', 'SELECT sum(b) a FROM t GROUP BY a HAVING a > 5'],
    ['a name that is given in front', 'WITH b + 1 AS a SELECT a FROM t GROUP BY a HAVING a > 5'],
    ['a condition on an aggregate', 'SELECT a FROM t GROUP BY a HAVING max(b) > a'],
    ['a function of a key, which might refuse a row', "SELECT a FROM t GROUP BY a HAVING toInt32(a) > 5"],
    ['a condition that may never hold, beside which others are not looked at', 'SELECT a FROM t GROUP BY a HAVING a IS NULL AND max(b) > a AND a > 5'],
    ['one that never holds', 'SELECT a FROM t GROUP BY a HAVING 0 AND a > 5'],
    ['one that never holds, in brackets', 'SELECT a FROM t GROUP BY a HAVING (a > 5 AND 0) AND a > 7'],
    ['totals', 'SELECT a FROM t GROUP BY a WITH TOTALS HAVING a > 5'],
    ['elements of lists', 'SELECT a FROM t ARRAY JOIN b AS a GROUP BY a HAVING a > 5'],
    ['the first few of a set', 'SELECT a FROM t WHERE a IN (SELECT b FROM u ORDER BY b LIMIT 3)'],
    ['the order of a list', 'SELECT a FROM (SELECT a FROM t ORDER BY a)'],
    ['several queries', 'SELECT 1 WHERE 1; SELECT 2 WHERE 1'],
    ['two queries made one', 'SELECT a FROM t WHERE 1 UNION ALL SELECT a FROM t WHERE 1'],
    ['what is no query', 'INSERT INTO t SELECT a FROM u WHERE 1'],
    ['an ALTER', 'ALTER TABLE t DELETE WHERE 1'],
    ['what has no end', "SELECT a FROM t WHERE a = 'x"],
    ['brackets that don’t match', 'SELECT a) FROM t WHERE 1'],
    ['text that is no SQL', '🐳 WHERE 1'],
    ['nothing', ''],
    ['conditions of groups that would make it none', 'SELECT count() FROM t HAVING 1'],
  ])('leaves %s alone', (_what, query) => {
    expect(optimizeQuery(query)).toEqual({ query, rewrites: [] })
  })
})
