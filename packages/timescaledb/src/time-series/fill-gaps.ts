import type { Row } from '@smart-whale/interfaces'
import { interpolate } from './interpolate.ts'

/** What a bucket without rows holds: it isn't there, nulls, the last value before it, or a value on the line between its neighbours. */
export type GapFill = 'none' | 'null' | 'locf' | 'linear'

/** What is filled, and how. */
export interface FillPlan {
  /** Every bucket of the range, ascending. */
  readonly buckets: readonly Date[]
  readonly groupBy: readonly string[]
  /** Which series a row belongs to, counted in the order in which series are given. */
  seriesOf(row: Row): number
  /** The values; counts are 0 where there is nothing to count, however gaps are filled, and only numbers have a line between them. */
  readonly metrics: readonly { readonly name: string; readonly isCount: boolean; readonly isNumber: boolean }[]
  readonly fill: Exclude<GapFill, 'none'>
}

interface Series {
  readonly group: Row
  readonly byBucket: Map<number, Row>
}

/** One row for every series in every bucket, in the order of time and then of series. Series without a single row are unknown. */
export function fillGaps(rows: readonly Row[], plan: FillPlan): Row[] {
  const filled = groupSeries(rows, plan).map((one) => fillSeries(one, plan))
  return plan.buckets.flatMap((_, index) => filled.map((column) => column[index] as Row))
}

function groupSeries(rows: readonly Row[], { groupBy, seriesOf }: FillPlan): Series[] {
  const series = new Map<number, Series>()
  // Without groups there is one series, also when it has no row.
  if (groupBy.length === 0) series.set(seriesOf({}), { group: {}, byBucket: new Map() })
  for (const row of rows) {
    const key = seriesOf(row)
    const known = series.get(key) ?? { group: Object.fromEntries(groupBy.map((name) => [name, row[name]])), byBucket: new Map<number, Row>() }
    known.byBucket.set((row['bucket'] as Date).getTime(), row)
    series.set(key, known)
  }
  return [...series].sort(([a], [b]) => a - b).map(([, one]) => one)
}

function fillSeries({ group, byBucket }: Series, plan: FillPlan): Row[] {
  const rows = plan.buckets.map((bucket): Row => {
    const row = byBucket.get(bucket.getTime())
    const values = plan.metrics.map(({ name, isCount }) => [name, row ? row[name] : isCount ? 0n : null])
    return { bucket, ...group, ...Object.fromEntries(values) }
  })
  for (const { name, isCount, isNumber } of plan.metrics) {
    if (isCount) continue
    if (plan.fill === 'locf') carryForward(rows, name)
    if (plan.fill === 'linear' && isNumber) drawLines(rows, name)
  }
  return rows
}

function carryForward(rows: readonly Row[], name: string): void {
  let last: unknown = null
  for (const row of rows) {
    if (row[name] === null) row[name] = last
    else last = row[name]
  }
}

/** Before the first value and after the last there is no line. */
function drawLines(rows: readonly Row[], name: string): void {
  let before = -1
  for (const [index, row] of rows.entries()) {
    if (row[name] === null) continue
    if (before >= 0 && index - before > 1) drawLine(rows, name, [before, index])
    before = index
  }
}

function drawLine(rows: readonly Row[], name: string, [from, to]: readonly [number, number]): void {
  const [left, right] = [rows[from] as Row, rows[to] as Row]
  const [startMs, endMs] = [timeOf(left), timeOf(right)]
  for (let index = from + 1; index < to; index++) {
    const row = rows[index] as Row
    row[name] = interpolate(left[name], right[name], { elapsedMs: timeOf(row) - startMs, totalMs: endMs - startMs })
  }
}

function timeOf(row: Row): number {
  return (row['bucket'] as Date).getTime()
}
