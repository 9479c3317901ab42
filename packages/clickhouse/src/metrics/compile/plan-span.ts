import type { MetricsModel, SourceModel } from '../definition/metrics-model.ts'
import type { Span } from '../periods/grain-edges.ts'
import { canonicalZone, zoneProblem } from '../periods/zoned-time.ts'
import { type Complain, periodOf, timeOfSource } from './question-plan.ts'

/** A source and the time that is read of it. */
export interface SpanPlan {
  readonly source: SourceModel
  readonly span: Span
  readonly zone: string
  /** Now, as the source has it. */
  readonly nowMs: number
}

/** The period of a question about a source by name. */
export function planSpan(
  model: MetricsModel,
  question: { readonly source: string; readonly timeZone?: string | undefined; readonly period?: string | undefined; readonly from?: Date | string | undefined; readonly to?: Date | string | undefined },
  nowMs: number,
  complain: Complain,
): SpanPlan | undefined {
  const source = model.sources.get(question.source)
  if (source === undefined) return void complain(['source'], `there is no source "${question.source}"`)
  const problem = zoneProblem(question.timeZone ?? 'UTC')
  if (problem !== undefined) return void complain(['timeZone'], problem)
  const { zone, now } = timeOfSource(source, canonicalZone(question.timeZone ?? 'UTC'), nowMs)
  const period = periodOf(question, now, zone, complain)
  return period === undefined ? undefined : { source, span: { fromMs: period.fromMs, toMs: period.toMs }, zone, nowMs: now }
}

/** Complains of dimensions that a source doesn't have. */
export function checkOfSource(model: MetricsModel, source: string, complain: Complain): (dimension: string, path: readonly (string | number)[]) => void {
  return (dimension, path) => {
    if (model.dimensions.get(dimension)?.source !== source) complain(path, `the source "${source}" has no dimension "${dimension}"`)
  }
}
