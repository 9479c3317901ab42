import { describe, expect, it } from 'vitest'
import type { Row } from '@smart-whale/interfaces'
import type { AnalyticsResult } from '../analytics/analytics-query.ts'
import { AnswerTexts } from './answer-texts.ts'

const answer = (data: readonly Row[], more: Partial<AnalyticsResult> = {}): AnalyticsResult => ({
  data,
  columns: [{ name: 'n', type: 'UInt64' }],
  statistics: { rowsRead: 1, bytesRead: 8, elapsedMs: 0.5 } as AnalyticsResult['statistics'],
  cache: { status: 'hit', ageMs: 5, ttlSeconds: 60 },
  queryId: 'q',
  ...more,
})
const frozen = (...rows: Row[]): readonly Row[] => Object.freeze(rows.map((row) => Object.freeze(row)))

describe('an answer as text', () => {
  it('is JSON with exact integers, and leaves out what is not there', () => {
    const rows = [{ n: 9_007_199_254_740_993n, time: new Date(0) }]

    expect(JSON.parse(new AnswerTexts().textOf(answer(rows)))).toEqual({
      data: [{ n: '9007199254740993', time: '1970-01-01T00:00:00.000Z' }],
      columns: [{ name: 'n', type: 'UInt64' }],
      statistics: { rowsRead: 1, bytesRead: 8, elapsedMs: 0.5 },
      cache: { status: 'hit', ageMs: 5, ttlSeconds: 60 },
      queryId: 'q',
    })
  })

  it('of rows that are served again tells how it is served now', () => {
    const texts = new AnswerTexts()
    const rows = frozen({ n: 1 })
    texts.textOf(answer(rows))

    const again = JSON.parse(texts.textOf(answer(rows, { cache: { status: 'stale', ageMs: 70, ttlSeconds: 60 }, degraded: { quota: 'rows', retryAfterMs: 9 } }))) as AnalyticsResult

    expect(again).toMatchObject({ data: [{ n: 1 }], cache: { status: 'stale', ageMs: 70 }, degraded: { quota: 'rows' } })
  })

  it.each([
    ['rows', [{ n: 1 }]],
    ['rows in a frozen list', Object.freeze([{ n: 1 }])],
  ] as const)('follows %s that somebody changes', (_, rows) => {
    const texts = new AnswerTexts()
    texts.textOf(answer(rows))
    ;(rows[0] as { n: number }).n = 2

    expect(texts.textOf(answer(rows))).toContain('{"n":2}')
  })
})
