import type { Row } from '@smart-whale/interfaces'
import type { CompiledCohorts } from '../compile/compile-cohorts.ts'
import type { CompiledFunnel } from '../compile/compile-funnel.ts'
import { addLocal, dateOf, floorLocal } from '../periods/grain-edges.ts'
import { toInstant, toLocal } from '../periods/zoned-time.ts'

/** One step of a funnel. */
export interface FunnelStep {
  readonly name: string
  /** How many got this far. */
  readonly entities: number
  /** Of those who took the first step, 0 to 1; null when nobody did. */
  readonly share: number | null
  /** Of those who took the step before. */
  readonly shareOfPrevious: number | null
}

/** Who came first in one bucket. */
export interface Cohort {
  /** The bucket's first day. */
  readonly cohort: string
  readonly size: number
  /** How many of them were there so many buckets later, from 0 on; null for buckets that have not begun. */
  readonly retained: readonly (number | null)[]
}

/** The steps of a funnel: who got further took the steps before too. */
export function readFunnel({ steps }: CompiledFunnel, data: readonly Row[]): FunnelStep[] {
  const atLevel = new Map(data.map((row) => [Number(row['sw_level']), Number(row['sw_entities'])]))
  const reached = steps.map((_name, index) => [...atLevel].reduce((sum, [level, count]) => sum + (level > index ? count : 0), 0))
  const share = (count: number, of: number | undefined): number | null => (of === undefined || of === 0 ? null : count / of)
  return steps.map((name, index) => {
    const entities = reached[index] as number
    return { name, entities, share: share(entities, reached[0]), shareOfPrevious: index === 0 ? share(entities, reached[0]) : share(entities, reached[index - 1]) }
  })
}

/** Every cohort of the period, those that nobody belongs to as well. */
export function readCohorts({ plan, starts, steps, grain }: CompiledCohorts, data: readonly Row[]): Cohort[] {
  const found = new Map(data.map((row) => [`${String(row['sw_cohort'])} ${Number(row['sw_step'])}`, Number(row['sw_entities'])]))
  return starts.map((start) => {
    const cohort = dateOf(start, plan.zone)
    const local = floorLocal(toLocal(start, plan.zone), grain)
    const retained = Array.from({ length: steps + 1 }, (_unused, step) => {
      const begins = toInstant(addLocal(local, grain, step), plan.zone)
      return begins > plan.nowMs ? null : (found.get(`${cohort} ${step}`) ?? 0)
    })
    return { cohort, size: found.get(`${cohort} -1`) ?? 0, retained }
  })
}
