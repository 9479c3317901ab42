import type { ValidationIssue } from '@smart-whale/interfaces'
import type { Filters, Grain } from '../definition/metric-definition.ts'
import type { MetricModel, MetricsModel, SourceModel } from '../definition/metrics-model.ts'
import { bucketStarts, isCalendar, type Span } from '../periods/grain-edges.ts'
import { aYearBefore, periodBetween, type ResolvedPeriod, resolvePeriod, resolvePoint } from '../periods/resolve-period.ts'
import { canonicalZone, toLocal, zoneProblem } from '../periods/zoned-time.ts'
import type { RowCondition, RowFilter } from './metric-question.ts'
import { questionRefusal, type ShapedQuestion } from './question-shape.ts'

/** A question that was checked against the definition, with its period in place. */
export interface QuestionPlan {
  readonly source: SourceModel
  readonly metrics: readonly MetricModel[]
  readonly span: Span
  readonly zone: string
  readonly grain: Grain | undefined
  /** Where the buckets begin; of a question without a grain none. */
  readonly starts: readonly number[]
  readonly by: readonly string[]
  readonly where: Filters
  readonly rowConditions: readonly RowCondition[]
  readonly top: { readonly n: number; readonly by: MetricModel; readonly other: boolean } | undefined
  /** The span that values are compared with, and where its buckets begin. */
  readonly compared: { readonly span: Span; readonly starts: readonly number[] } | undefined
  readonly fillGaps: boolean
  readonly totals: boolean
  readonly limit: number
  readonly route: 'auto' | 'raw'
}

/** Most buckets of one question. */
export const MAX_BUCKETS = 10_000
/** Times that ClickHouse's `DateTime` holds, and a day less at the beginning: what lies before it is kept nowhere. */
export const FIRST_MS = 86_400_000
/** The end of those times. */
export const LAST_MS = Date.UTC(2106, 0, 1)

/** Brings a checked question and the definition together. @throws ValidationError `ERR_CLICKHOUSE_METRIC_QUESTION` that names each wrong field */
export function planQuestion(model: MetricsModel, question: ShapedQuestion, rowFilter: RowFilter | undefined, nowMs: number): QuestionPlan {
  const issues: ValidationIssue[] = []
  const complain = (path: readonly (string | number)[], message: string): void => void issues.push({ path, message })
  const metrics = question.metrics.flatMap((name, index) => {
    const metric = model.metrics.get(name)
    if (metric === undefined) complain(['metrics', index], `there is no metric "${name}"`)
    return metric ?? []
  })
  const sources = [...new Set(metrics.map((metric) => metric.source))]
  if (sources.length > 1) complain(['metrics'], `read different sources (${sources.join(', ')}); ask for each by itself`)
  const source = model.sources.get(sources[0] as string)
  if (issues.length > 0 || source === undefined) throw questionRefusal(issues)

  checkDimensions(metrics, question, complain)
  const topMetric = question.top === undefined ? undefined : topBy(model, metrics, question.top.by)
  if (question.top !== undefined && (question.by ?? []).length === 0) complain(['top'], 'needs dimensions in by, of which the largest are taken')
  if (question.top !== undefined && topMetric === undefined) complain(['top', 'by'], `there is no metric "${question.top.by}" of the source "${source.name}"`)
  const time = planTime(question, source, nowMs, complain)
  if (issues.length > 0 || time === undefined) throw questionRefusal(issues)
  return {
    source,
    metrics,
    ...time,
    by: question.by ?? [],
    where: (question.where ?? {}) as Filters,
    rowConditions: rowFilter?.(source.name) ?? [],
    top: question.top === undefined || topMetric === undefined ? undefined : { n: question.top.n, by: topMetric, other: question.top.other ?? false },
    fillGaps: question.fillGaps ?? false,
    totals: question.totals ?? false,
    limit: question.limit ?? 10_000,
    route: question.route ?? 'auto',
  }
}

/** Is told what is wrong, and where. */
export type Complain = (path: readonly (string | number)[], message: string) => void

function checkDimensions(metrics: readonly MetricModel[], question: ShapedQuestion, complain: Complain): void {
  const check = (dimension: string, path: readonly (string | number)[]): void => {
    const without = metrics.find((metric) => !metric.dimensions.has(dimension))
    if (without !== undefined) complain(path, `the metric "${without.name}" has no dimension "${dimension}"`)
  }
  question.by?.forEach((dimension, index) => check(dimension, ['by', index]))
  for (const dimension of Object.keys(question.where ?? {})) check(dimension, ['where', dimension])
  if (new Set(question.by).size !== (question.by?.length ?? 0)) complain(['by'], 'names a dimension twice')
}

function topBy(model: MetricsModel, metrics: readonly MetricModel[], name: string | undefined): MetricModel | undefined {
  if (name === undefined) return metrics[0]
  const metric = model.metrics.get(name)
  return metric?.source === metrics[0]?.source ? metric : undefined
}

type PlannedTime = Pick<QuestionPlan, 'span' | 'zone' | 'grain' | 'starts' | 'compared'>

function planTime(question: ShapedQuestion, source: SourceModel, nowMs: number, complain: Complain): PlannedTime | undefined {
  const { grain, timeZone = 'UTC' } = question
  const problem = zoneProblem(timeZone)
  if (problem !== undefined) return void complain(['timeZone'], problem)
  if (source.isDate && grain !== undefined && !isCalendar(grain)) return void complain(['grain'], `the source "${source.name}" has days, and nothing shorter`)
  const { zone, now } = timeOfSource(source, canonicalZone(timeZone), nowMs)
  const period = periodOf(question, now, zone, complain)
  if (period === undefined) return undefined
  const starts = grain === undefined ? [] : bucketStarts(period, grain, zone, MAX_BUCKETS)
  if (starts === undefined) return void complain(['grain'], `cuts the period into more than ${MAX_BUCKETS} buckets; take a longer one`)
  const span: Span = { fromMs: period.fromMs, toMs: period.toMs }
  const other = question.compare === undefined ? undefined : question.compare === 'previous_year' ? aYearBefore(span, zone) : period.previous()
  const compared = other === undefined ? undefined : { span: other, starts: grain === undefined ? [] : (bucketStarts(other, grain, zone, 2 * MAX_BUCKETS) ?? []) }
  return { span, zone, grain, starts, compared }
}

/** Days as they stand are in no zone: today is the caller's today, and from there on they count as UTC's. */
export function timeOfSource(source: SourceModel, zone: string, nowMs: number): { readonly zone: string; readonly now: number } {
  return source.isDate ? { zone: 'UTC', now: toLocal(nowMs, zone) } : { zone, now: nowMs }
}

/** The period of any question about a source. */
export function periodOf(
  question: Pick<ShapedQuestion, 'period' | 'from' | 'to'>,
  nowMs: number,
  zone: string,
  complain: Complain,
): ResolvedPeriod | undefined {
  const { period, from, to } = question
  if ((period === undefined) === (from === undefined)) return void complain(['period'], 'or from must be given, and not both')
  if (period !== undefined) {
    if (to !== undefined) return void complain(['to'], 'goes with from, not with period')
    const found = resolvePeriod(period, nowMs, zone)
    return 'problem' in found ? void complain(['period'], found.problem) : within(found, 'period', complain)
  }
  const [fromMs, toMs] = [resolvePoint(from as Date | string, zone), to === undefined ? endOfToday(nowMs, zone) : resolvePoint(to, zone)]
  if (typeof fromMs !== 'number') return void complain(['from'], fromMs.problem)
  if (typeof toMs !== 'number') return void complain(['to'], toMs.problem)
  if (toMs <= fromMs) return void complain(['to'], 'must lie after from; the period ends before it')
  return within(periodBetween(fromMs, toMs, zone), 'from', complain)
}

/** Not now itself: that would be another question at each moment, and hardly ever lie on a bucket's edge. */
function endOfToday(nowMs: number, zone: string): number {
  const today = resolvePeriod('today', nowMs, zone)
  return 'problem' in today ? nowMs : today.toMs
}

function within(period: ResolvedPeriod, field: string, complain: Complain): ResolvedPeriod | undefined {
  if (period.fromMs >= FIRST_MS && period.toMs <= LAST_MS) return period
  return void complain([field], 'must lie between 2 January 1970 and the end of 2105')
}
