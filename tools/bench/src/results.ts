import type { Goal, HotPath } from './hot-path.ts'
import type { Costs } from './interleave.ts'
import { speedRatios, type Spread, spreadOf } from './statistics.ts'

/** What one contender came to. */
export interface ContenderResult {
  readonly name: string
  /** Median, nanoseconds an operation. */
  readonly cost: number
  /** Speed as a multiple of the baseline's. */
  readonly ratio: Spread
}

/** A goal and whether the median reached it. */
export interface GoalResult {
  readonly sentence: string
  readonly reached: Spread
  readonly met: boolean
}

/** A hot path with what was measured. */
export interface HotPathResult {
  readonly hotPath: Pick<HotPath, 'name' | 'title' | 'operation' | 'measure' | 'baseline'>
  /** The fastest first. */
  readonly contenders: readonly ContenderResult[]
  readonly goals: readonly GoalResult[]
  readonly notes: readonly string[]
}

/** Turns costs into ratios and verdicts. Every ratio is taken within a round, then the median over the rounds. */
export function resultOf(hotPath: Pick<HotPath, 'name' | 'title' | 'operation' | 'measure' | 'baseline' | 'goals'>, costs: Costs, notes: readonly string[] = []): HotPathResult {
  const costsOf = (name: string): readonly number[] => costs.get(name) ?? []
  const contenders = [...costs].map(([name, own]) => ({ name, cost: spreadOf(own).median, ratio: spreadOf(speedRatios(costsOf(hotPath.baseline), own)) }))
  return {
    hotPath,
    contenders: contenders.toSorted((left, right) => left.cost - right.cost),
    goals: hotPath.goals.filter((goal) => costs.has(goal.contender) && costs.has(goal.against)).map((goal) => verdictOf(goal, costsOf(goal.contender), costsOf(goal.against))),
    notes,
  }
}

function verdictOf(goal: Goal, own: readonly number[], others: readonly number[]): GoalResult {
  if ('speedAtLeast' in goal) {
    const reached = spreadOf(speedRatios(others, own))
    return { sentence: `${goal.contender} at least ${goal.speedAtLeast}× as fast as ${goal.against}`, reached, met: reached.median >= goal.speedAtLeast }
  }
  const reached = spreadOf(speedRatios(own, others))
  return { sentence: `${goal.contender} in at most ${goal.timeAtMost}× the time of ${goal.against}`, reached, met: reached.median <= goal.timeAtMost }
}
