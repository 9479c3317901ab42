import { describe, expect, it } from 'vitest'
import { questionParts } from './question-parts.ts'

describe('the parts of a question', () => {
  it('are what it filters, groups and orders by', () => {
    const parts = questionParts(
      "SELECT toDate(at) AS day, count() AS n, sum(r.price) FROM app.rides AS r WHERE r.city = 'Bergen' AND at >= now() - INTERVAL 1 DAY AND user_id IN (1, 2) AND lower(note) = 'x' AND `od d` LIKE '%a%' GROUP BY day, toHour(at) ORDER BY n DESC, day LIMIT 5",
    )

    expect(parts).toEqual({
      filters: [
        { column: 'city', kind: 'equals' },
        { column: 'at', kind: 'range' },
        { column: 'user_id', kind: 'equals' },
        { column: 'note', kind: 'function' },
        { column: 'od d', kind: 'text' },
      ],
      groupBy: ['day', 'toHour(at)'],
      orderBy: ['n DESC', 'day'],
      select: ['toDate(at) AS day', 'count() AS n', 'sum(r.price)'],
      where: "r.city = 'Bergen' AND at >= now() - INTERVAL 1 DAY AND user_id IN (1, 2) AND lower(note) = 'x' AND `od d` LIKE '%a%'",
      isPlain: true,
    })
  })

  it.each(['SELECT 1 FROM a JOIN b USING x', 'SELECT * FROM (SELECT 1)', 'SELECT 1 UNION ALL SELECT 2', 'WITH a AS (SELECT 1) SELECT * FROM a'])('are not all there is: %s', (query) => {
    expect(questionParts(query).isPlain).toBe(false)
  })

  it('are found inside of subqueries', () => {
    expect(questionParts('SELECT count() FROM (SELECT id FROM rides WHERE toDate(at) = today())').filters).toEqual([{ column: 'at', kind: 'range' }])
  })

  it('leave out what excludes, which no index helps', () => {
    expect(questionParts('SELECT 1 FROM a WHERE x <> 1 AND y NOT IN (1) AND z != 2').filters).toEqual([])
  })
})
