import type { ColumnBatch, ColumnLayout, RefusedRow, Row } from '@smart-whale/interfaces'
import type { PartitionBounds, PartitionedTable } from './partition-catalog.ts'
import { stepAround } from '../time-series/time-interval.ts'
import { kindOf, parseIsoTime, readTime } from '../time-series/parse-time.ts'

/** What a table's partitions, as last seen, say about some rows. */
export interface RowCoverage {
  /** One moment for each partition that has to be made. */
  readonly missingMs: readonly number[]
  /** Rows without a time that any partition could hold. */
  readonly refused: readonly RefusedRow[]
}

/** Which moments the partitions of a table are known to hold; asked once a row, so it remembers where it last looked. */
export class PartitionCoverage {
  readonly table: PartitionedTable
  readonly #bounds: readonly PartitionBounds[]
  #last: PartitionBounds | undefined

  constructor(table: PartitionedTable, bounds: readonly PartitionBounds[]) {
    this.table = table
    this.#bounds = [...bounds].sort((a, b) => a.fromMs - b.fromMs)
  }

  /** Whether a known partition holds the moment. */
  covers(timeMs: number): boolean {
    if (this.#last && timeMs >= this.#last.fromMs && timeMs < this.#last.toMs) return true
    const found = this.#find(timeMs)
    this.#last = found ?? this.#last
    return found !== undefined
  }

  /** What of these moments has no partition yet: one moment a step. */
  missing(timesMs: Iterable<number>): number[] {
    const steps = new Map<number, number>()
    for (const timeMs of timesMs) {
      if (this.covers(timeMs)) continue
      // A step can be cut in two by partitions of another length; both ends of it are kept then.
      const start = this.#startOf(timeMs)
      if (!steps.has(start)) steps.set(start, timeMs)
    }
    return [...steps.values()]
  }

  /** What a batch lacks before it can be stored. */
  ofRows(rows: readonly Row[]): RowCoverage {
    const refused: RefusedRow[] = []
    const timesMs: number[] = []
    const { timeColumn } = this.table
    for (const [index, row] of rows.entries()) {
      const timeMs = momentOf(row[timeColumn])
      if (timeMs !== undefined) timesMs.push(timeMs)
      else refused.push({ index, reason: `column "${timeColumn}" must be a moment between 4713 BC and 275760, found ${kindOf(row[timeColumn])}` })
    }
    return { missingMs: this.missing(timesMs), refused }
  }

  /** What a batch of columns lacks: a moment for each partition that has to be made. Null when only its rows tell. */
  ofColumns({ rows, columns }: ColumnBatch): readonly number[] | null {
    const times = columns.find(({ name }) => name === this.table.timeColumn)
    if (times === undefined || times.nulls?.includes(1) === true) return null
    const { bytes, isConstant, layout } = times
    const unitMs = UNITS_MS[layout]
    if (unitMs === undefined) return null
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const uncovered: number[] = []
    for (let row = 0; row < (isConstant ? Math.min(rows, 1) : rows); row++) {
      const timeMs = unitMs === 1 ? readInt64(view, 8 * row) : view.getInt32(4 * row, true) * unitMs
      if (timeMs < EARLIEST_MS || timeMs > LATEST_MS) return null
      if (!this.covers(timeMs)) uncovered.push(timeMs)
    }
    return this.missing(uncovered)
  }

  #find(timeMs: number): PartitionBounds | undefined {
    const after = this.#firstAfter(timeMs)
    const candidate = this.#bounds[after - 1]
    return candidate && timeMs < candidate.toMs ? candidate : undefined
  }

  /** Where the gap around the moment begins, within its step. */
  #startOf(timeMs: number): number {
    const before = this.#bounds[this.#firstAfter(timeMs) - 1]
    return Math.max(stepAround(new Date(timeMs), this.table.interval).start.getTime(), before?.toMs ?? -Infinity)
  }

  /** Index of the first partition that begins after the moment. */
  #firstAfter(timeMs: number): number {
    let [low, high] = [0, this.#bounds.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#bounds[middle] as PartitionBounds).fromMs <= timeMs) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** PostgreSQL's calendar begins in 4713 BC. */
const EARLIEST_MS = Date.UTC(-4712, 0, 1)
/** What a Date holds at most. */
const LATEST_MS = 8.64e15
/** What the numbers of a column of moments count. */
const UNITS_MS: Partial<Readonly<Record<ColumnLayout, number>>> = { milliseconds: 1, days: 86_400_000 }

/** Near enough: what is not exact lies far beyond the range. */
function readInt64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true)
}

function momentOf(value: unknown): number | undefined {
  const time = typeof value === 'string' ? parseIsoTime(value, 'cut') : readTime(value)
  return time !== undefined && time.getTime() >= EARLIEST_MS ? time.getTime() : undefined
}
