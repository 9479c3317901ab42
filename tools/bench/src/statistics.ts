/** The middle of what was measured, and the range that leaves out the lowest and the highest tenth. */
export interface Spread {
  readonly median: number
  readonly p10: number
  readonly p90: number
}

/** The value below which the given share of the values lies, between neighbours in proportion. `values` must not be empty. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] as number
  const above = sorted[Math.ceil(position)] as number
  return below + (above - below) * (position - Math.floor(position))
}

/** Median, p10 and p90. `values` must not be empty. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), p10: quantile(values, 0.1), p90: quantile(values, 0.9) }
}

/**
 * How many times as fast as the baseline, round by round: what slows a whole round down falls out of the ratio.
 * Both hold one cost for each round, in the same order.
 */
export function speedRatios(baselineCosts: readonly number[], costs: readonly number[]): number[] {
  return costs.map((cost, round) => (baselineCosts[round] as number) / cost)
}

/** The order of `count` contenders in a round: another one begins each time, and the direction turns, so that nobody always follows the same one. */
export function orderOfRound(count: number, round: number): number[] {
  const step = round % 2 === 0 ? 1 : -1
  return Array.from({ length: count }, (_, place) => (((round + place * step) % count) + count) % count)
}
