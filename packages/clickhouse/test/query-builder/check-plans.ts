import { isDeepStrictEqual } from 'node:util'
import type { Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../../src/index.ts'
import { buildPlan } from './build-plan.ts'
import { Choices } from './choices.ts'
import { makeTables } from './query-data.ts'
import { randomPlan } from './random-query.ts'
import { workOutPlan } from './work-out-plan.ts'

/** A query whose rows are others than they must be. */
export interface WrongAnswer {
  readonly query: string
  readonly params: unknown
  readonly found: readonly Row[] | string
  readonly wanted: readonly Row[]
}

const AT_ONCE = 4

/** Builds random queries over random rows, and compares what the server answers with what plain code works out. */
export async function wrongAnswers(adapter: ClickHouseAdapter, queries: number, seed: number): Promise<WrongAnswer[]> {
  const choices = new Choices(seed)
  const data = await makeTables(adapter, choices)
  const plans = Array.from({ length: queries }, () => randomPlan(choices))
  const wrong: WrongAnswer[] = []
  const checkNext = async (): Promise<void> => {
    for (let plan = plans.pop(); plan !== undefined; plan = plans.pop()) {
      const built = buildPlan(plan)
      // Some as text with their values in it.
      const { query, params } = plans.length % 5 === 0 ? { query: built.toSQL(), params: {} } : built.compile()
      const wanted = workOutPlan(plan, data)
      const found = await adapter.execute(query, params).then(({ rows }) => rows, (error: Error) => error.message)
      if (!isDeepStrictEqual(found, wanted)) wrong.push({ query, params, found, wanted })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, checkNext))
  return wrong
}
