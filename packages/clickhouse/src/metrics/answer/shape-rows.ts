import type { Row } from '@smart-whale/interfaces'
import { canonical } from '../../stable-digest.ts'
import { answerColumns } from '../compile/compile-question.ts'
import { questionRefusal } from '../compile/question-shape.ts'
import type { QuestionPlan } from '../compile/question-plan.ts'
import type { MetricModel } from '../definition/metrics-model.ts'
import { dateOf, isCalendar } from '../periods/grain-edges.ts'
import { formatInstant } from '../periods/zoned-time.ts'
import type { DimensionValue, MetricRow, MetricValue, MetricValues } from './metric-answer.ts'

/** A row that is still to be put among others. */
export interface AnsweredGroup {
  /** Which of the period's buckets it belongs to; 0 without a grain. */
  readonly bucket: number
  /** Equal for equal groups. */
  readonly group: string
  readonly dimensions: readonly DimensionValue[]
  readonly isOther: boolean
  readonly values: readonly MetricValue[]
}

/** What the server answered, sorted out. */
export interface AnsweredGroups {
  readonly groups: AnsweredGroup[]
  readonly totals: readonly MetricValue[] | undefined
  readonly truncated: boolean
}

/** Sorts out what the server answered for a span whose buckets begin at `starts`. */
export function readGroups(plan: QuestionPlan, data: readonly Row[], starts: readonly number[]): AnsweredGroups {
  const buckets = new Map(starts.map((start, index) => [bucketKey(plan, start), index]))
  const valuesOf = (row: Row): MetricValue[] => plan.metrics.map((_metric, index) => row[answerColumns.value(index)] as MetricValue)
  const hasKeys = plan.grain !== undefined || plan.by.length > 0
  const total = plan.totals ? (hasKeys ? data.find((row) => Number(row[answerColumns.isTotal]) === 1) : data[0]) : undefined
  const parts = hasKeys ? data.filter((row) => row !== total) : data
  const groups = parts.slice(0, plan.limit).map((row) => {
    const dimensions = plan.by.map((_name, index) => row[answerColumns.key(index)] as DimensionValue)
    const isOther = Number(row[answerColumns.isOther] ?? 0) === 1
    const bucket = plan.grain === undefined ? 0 : (buckets.get(keyOf(row[answerColumns.bucket])) ?? 0)
    return { bucket, group: canonical([dimensions, isOther]), dimensions, isOther, values: valuesOf(row) }
  })
  const totals = total === undefined ? (plan.totals ? plan.metrics.map(emptyValue) : undefined) : valuesOf(total)
  return { groups, totals, truncated: parts.length > plan.limit }
}

/** A bucket's name as the server tells it. */
function bucketKey(plan: QuestionPlan, start: number): string {
  return plan.grain !== undefined && isCalendar(plan.grain) ? dateOf(start, plan.zone) : String(start)
}

const keyOf = (bucket: unknown): string => (bucket instanceof Date ? String(bucket.getTime()) : String(bucket))

/** What a metric is when there are no rows: nothing was counted, and nothing is known of the rest. */
export function emptyValue(metric: MetricModel): MetricValue {
  if (metric.measure === 'count' || metric.measure === 'uniq' || metric.measure === 'uniqExact') return 0n
  return metric.measure === 'sum' ? 0 : null
}

/** Puts the groups of a period together with those that they are compared with, and the gaps between them when they are wanted. */
export function assembleRows(plan: QuestionPlan, now: AnsweredGroups, before: AnsweredGroups | undefined): MetricRow[] {
  const key = ({ bucket, group }: Pick<AnsweredGroup, 'bucket' | 'group'>): string => `${bucket} ${group}`
  const present = new Map(now.groups.map((group) => [key(group), group]))
  const previous = new Map((before?.groups ?? []).map((group) => [key(group), group]))
  const ordered = plan.fillGaps && plan.grain !== undefined ? withGaps(plan, now.groups) : [...now.groups]
  // What was there before and is no more belongs to the comparison; buckets that the present period doesn't have don't.
  const listed = new Set(ordered.map(key))
  const gone = (before?.groups ?? []).filter((group) => !listed.has(key(group)) && group.bucket < Math.max(1, plan.starts.length))
  const rows = [...ordered, ...gone.map((group) => ({ ...group, values: plan.metrics.map(emptyValue) }))]
  if (gone.length > 0 && plan.grain !== undefined) rows.sort((one, other) => one.bucket - other.bucket)
  return rows.map((group) => rowOf(plan, present.get(key(group)) ?? group, before && (previous.get(key(group))?.values ?? plan.metrics.map(emptyValue))))
}

/** Every group in every bucket; without dimensions the one group there is. */
function withGaps(plan: QuestionPlan, groups: readonly AnsweredGroup[]): AnsweredGroup[] {
  const kinds = new Map(groups.map((group) => [group.group, group]))
  if (plan.by.length === 0 && kinds.size === 0) kinds.set('', { bucket: 0, group: canonical([[], false]), dimensions: [], isOther: false, values: [] })
  if (kinds.size * plan.starts.length > 10 * plan.limit) {
    throw questionRefusal([{ path: ['fillGaps'], message: `makes ${kinds.size * plan.starts.length} rows of ${kinds.size} groups and ${plan.starts.length} buckets; take a longer grain, fewer groups, or a higher limit` }])
  }
  const empty = plan.metrics.map(emptyValue)
  const found = new Map(groups.map((group) => [`${group.bucket} ${group.group}`, group]))
  return plan.starts.flatMap((_start, bucket) => [...kinds.values()].map((kind) => found.get(`${bucket} ${kind.group}`) ?? { ...kind, bucket, values: empty }))
}

function rowOf(plan: QuestionPlan, group: AnsweredGroup, previous: readonly MetricValue[] | undefined): MetricRow {
  const start = plan.starts[group.bucket]
  return {
    ...(start === undefined ? {} : { time: nameOfBucket(plan, start) }),
    ...Object.fromEntries(plan.by.map((name, index) => [name, group.dimensions[index] ?? null])),
    ...(group.isOther ? { other: true } : {}),
    ...valuesByName(plan, group.values),
    ...(previous === undefined ? {} : { previous: valuesByName(plan, previous) }),
  } as MetricRow
}

function nameOfBucket(plan: QuestionPlan, start: number): string {
  return plan.grain !== undefined && isCalendar(plan.grain) ? dateOf(start, plan.zone) : formatInstant(start, plan.zone)
}

/** Values by the names of the metrics. */
export function valuesByName(plan: Pick<QuestionPlan, 'metrics'>, values: readonly MetricValue[]): MetricValues {
  return Object.fromEntries(plan.metrics.map(({ name }, index) => [name, values[index] ?? null]))
}
