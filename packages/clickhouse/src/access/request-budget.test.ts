import { describe, expect, it } from 'vitest'
import { RequestBudget } from './request-budget.ts'

const estimate = (rows: number) => ({ rows, marks: 1, parts: 1 })

describe('the budget of a request', () => {
  it('is for all of its queries: one that no longer fits is refused, and leaves the rest to others', () => {
    const budget = new RequestBudget(100)

    budget.charge(estimate(60), true)
    expect(() => budget.charge(estimate(50), true)).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_BUDGET', status: 422, retryable: false, kind: 'rows', allowed: 100, estimated: 110 }) as Error)
    budget.charge(estimate(40), true)
  })

  it('tells the estimate only to who may know it', () => {
    const refusal = (tell: boolean): unknown => {
      try {
        return new RequestBudget(100).charge(estimate(4711), tell)
      } catch (error) {
        return error
      }
    }

    expect(refusal(true)).toMatchObject({ estimated: 4711, message: expect.stringContaining('4711 rows; at most 100') as string })
    expect(refusal(false)).toMatchObject({ estimated: undefined, allowed: 100, message: expect.not.stringContaining('4711') as string })
  })
})
