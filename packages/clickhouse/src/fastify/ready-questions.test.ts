import { describe, expect, it } from 'vitest'
import type { AnalyticsQuery } from '../analytics/analytics-query.ts'
import type { AnalyticsService } from '../analytics/analytics-service.ts'
import type { KnownBodies } from './known-bodies.ts'
import { ReadyQuestions } from './ready-questions.ts'

describe('questions that were readied', () => {
  it.each<[kind: string, asking: (number: number) => [body: string, tenant: string]]>([
    ['readers', (number: number) => ['one body', `tenant ${number}`]],
    ['bodies', (number: number) => [`body ${number}`, 'one tenant']],
  ])('begin anew when there are too many, of whatever number of %s', (_kind, asking) => {
    const service = { prepareQuery: () => ({}) } as unknown as AnalyticsService
    const bodies = new Map<string, object>()
    const questions = new ReadyQuestions(service, { has: () => true } as unknown as KnownBodies, (body) => body as AnalyticsQuery)
    const questionOf = (number: number) => {
      const [text, tenant] = asking(number)
      const body = bodies.get(text) ?? { query: text }
      bodies.set(text, body)
      return questions.askedBy(body).readiedBy({ tenant })
    }
    const first = questionOf(0)
    expect(questionOf(0)).toBe(first)

    for (let number = 1; number < 10_000; number++) questionOf(number)
    expect(questionOf(0)).toBe(first)
    questionOf(10_000)

    expect(questionOf(0)).not.toBe(first)
  })
})
