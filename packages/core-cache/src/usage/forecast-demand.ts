/** What is to be expected of a series. */
export interface DemandForecast {
  /** Intervals after which demand comes again; `null` where no period was found. */
  readonly period: number | null
  /** How much of it the past has in common with itself a period ago, 0 to 1. */
  readonly strength: number
  /** Expected in each of the next intervals. */
  readonly next: readonly number[]
  /** Mean error over the mean demand, when the last third is forecast from what was before it, an interval at a time; `null` when there is too little to say. */
  readonly errorShare: number | null
}

/** Fewer intervals say nothing. */
const FEWEST = 8
/** A period has to be seen so often. */
const PERIODS_SEEN = 3
const SMOOTHING = 0.3

type Predict = (series: Float32Array, upTo: number, at: number) => number

/**
 * Forecasts by what has served best so far: the level (exponential smoothing) or, where the series repeats itself, what was there at the same time of earlier periods.
 *
 * @param count intervals to forecast, beginning with the one after the series
 */
export function forecastDemand(series: Float32Array, count: number): DemandForecast {
  const { period, strength } = findPeriod(series)
  const level: Predict = (past, upTo) => levelOf(past, upTo)
  const candidates: { readonly predict: Predict; readonly period: number | null }[] = [{ predict: level, period: null }]
  if (period !== null) candidates.push({ predict: (past, upTo, at) => seasonalMean(past, upTo, at, period), period })
  const judged = candidates.map((candidate) => ({ ...candidate, errorShare: errorOf(series, candidate.predict) }))
  const best = judged.reduce((a, b) => ((b.errorShare ?? Infinity) < (a.errorShare ?? Infinity) ? b : a))
  const next = Array.from({ length: count }, (_, ahead) => best.predict(series, series.length, series.length + ahead))
  return { period: best.period, strength: best.period === null ? 0 : strength, next, errorShare: best.errorShare }
}

/** The shortest lag at which the series resembles itself as much as at any, and more than chance would have it. */
export function findPeriod(series: Float32Array): { readonly period: number | null; readonly strength: number } {
  const none = { period: null, strength: 0 }
  const longest = Math.floor(series.length / PERIODS_SEEN)
  if (series.length < FEWEST || longest < 2) return none
  const mean = series.reduce((sum, value) => sum + value, 0) / series.length
  const deviations = series.map((value) => value - mean)
  const variance = deviations.reduce((sum, value) => sum + value * value, 0)
  if (variance === 0) return none
  const likeness = Array.from({ length: longest + 1 }, (_, lag) => (lag < 2 ? 0 : autocorrelation(deviations, variance, lag)))
  const most = Math.max(...likeness)
  // Three standard errors of what a series without any pattern shows.
  if (most < Math.max(0.3, 3 / Math.sqrt(series.length))) return none
  const isPeak = (lag: number): boolean => likeness[lag]! >= 0.9 * most && likeness[lag]! >= (likeness[lag - 1] ?? 0) && likeness[lag]! >= (likeness[lag + 1] ?? 0)
  const period = likeness.findIndex((_value, lag) => lag >= 2 && isPeak(lag))
  // What only drifts resembles itself most at the shortest lag.
  return period < 2 || (period === 2 && likeness[3]! > 0.5 * likeness[2]!) ? none : { period, strength: Math.min(1, likeness[period]!) }
}

function autocorrelation(deviations: Float32Array, variance: number, lag: number): number {
  let sum = 0
  for (let at = lag; at < deviations.length; at++) sum += deviations[at]! * deviations[at - lag]!
  // As many terms as there are, so that long lags aren't belittled.
  return (sum / variance) * (deviations.length / (deviations.length - lag))
}

function levelOf(series: Float32Array, upTo: number): number {
  let level = series[0] ?? 0
  for (let at = 1; at < upTo; at++) level += SMOOTHING * (series[at]! - level)
  return level
}

function seasonalMean(series: Float32Array, upTo: number, at: number, period: number): number {
  let weight = 1
  let sum = 0
  let weights = 0
  for (let past = at - period * Math.ceil((at - upTo + 1) / period); past >= 0; past -= period) {
    sum += weight * series[past]!
    weights += weight
    weight *= 1 - SMOOTHING
  }
  return weights === 0 ? levelOf(series, upTo) : sum / weights
}

function errorOf(series: Float32Array, predict: Predict): number | null {
  if (series.length < FEWEST) return null
  const from = Math.floor((series.length * 2) / 3)
  let error = 0
  let demand = 0
  for (let at = from; at < series.length; at++) {
    error += Math.abs(series[at]! - predict(series, at, at))
    demand += series[at]!
  }
  return demand === 0 ? null : error / demand
}
