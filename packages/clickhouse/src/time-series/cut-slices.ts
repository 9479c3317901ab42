import { OperationalError } from '../operational-errors.ts'
import type { Microseconds } from './moments.ts'
import type { SliceRow } from './slice-rows.ts'

/** A stretch of time that was copied, or begun to be. Both ends belong to it; no two of a target have a moment in common. */
export interface KnownSlice {
  readonly from: Microseconds
  readonly to: Microseconds
  readonly checksum: string
  readonly state: 'begun' | 'done'
}

/** Rows of a stretch of time: all that the source has of it. */
export interface Slice {
  readonly from: Microseconds
  readonly to: Microseconds
  readonly rows: readonly SliceRow[]
  readonly known: KnownSlice | null
}

/** Rows of one moment stay together; beyond this many they can't. */
const MAX_SLICE_ROWS = 1_000_000

/**
 * Cuts rows, which come by time, where they were cut before, and what is new after every so many rows: never between two rows of the same moment, so that
 * a slice is what the source has between two moments, however often and from wherever it is read.
 */
export async function* cutSlices(rows: AsyncIterable<SliceRow>, start: Microseconds, known: readonly KnownSlice[], sliceRows: number): AsyncIterable<Slice> {
  const left = [...known].sort((one, other) => (one.from < other.from ? -1 : 1))
  let gathered: SliceRow[] = []
  let from = start
  for await (const row of rows) {
    const last = gathered.at(-1)
    // Slices that lie before this row are over.
    while (left[0] !== undefined && row.moment > left[0].to) {
      const slice = left.shift() as KnownSlice
      const before = gathered.filter(({ moment }) => moment < slice.from)
      if (before.length > 0) yield { from, to: slice.from - 1n, rows: before, known: null }
      yield { from: slice.from, to: slice.to, rows: gathered.slice(before.length), known: slice }
      gathered = []
      from = slice.to + 1n
    }
    const isInKnown = left[0] !== undefined && row.moment >= left[0].from
    if (!isInKnown && last !== undefined && gathered.length >= sliceRows && row.moment > last.moment) {
      yield { from, to: last.moment, rows: gathered, known: null }
      from = last.moment + 1n
      gathered = []
    }
    if (gathered.length >= MAX_SLICE_ROWS) throw tooMany(row)
    gathered.push(row)
  }
  for (const slice of left) {
    const before = gathered.filter(({ moment }) => moment < slice.from)
    if (before.length > 0) yield { from, to: slice.from - 1n, rows: before, known: null }
    yield { from: slice.from, to: slice.to, rows: gathered.filter(({ moment }) => moment >= slice.from && moment <= slice.to), known: slice }
    gathered = gathered.filter(({ moment }) => moment > slice.to)
    from = slice.to + 1n
  }
  const last = gathered.at(-1)
  if (last !== undefined) yield { from, to: last.moment, rows: gathered, known: null }
}

function tooMany({ row }: SliceRow): OperationalError {
  return new OperationalError(`more than ${MAX_SLICE_ROWS} rows lie within one slice, at ${row.timestamp}; rows of one moment can't be parted`, { code: 'ERR_CLICKHOUSE_UNSUPPORTED', status: 400 })
}
