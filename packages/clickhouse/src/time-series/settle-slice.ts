import { OperationalError } from '../operational-errors.ts'
import type { Slice } from './cut-slices.ts'
import { textOfMoment } from './moments.ts'
import type { SliceJournal } from './slice-journal.ts'
import { checksumOfLines, type SliceRow } from './slice-rows.ts'
import type { SliceTarget } from './slice-target.ts'

/** What became of a slice. */
export interface SliceOutcome {
  /** Whether rows were sent. */
  readonly written: boolean
  /** Rows that the target has from before and the source has no more. */
  readonly gone: number
}

/**
 * Brings the target to what the source has. The journal says "begun" before a row is sent, and "done" when both sides come to the same: after a kill in between
 * the same rows are sent again, under the same token.
 */
export async function settleSlice(slice: Slice, target: SliceTarget, journal: SliceJournal): Promise<SliceOutcome> {
  const checksum = checksumOfLines(slice.rows.map(({ line }) => line))
  const { known } = slice
  if (known?.state === 'done' && known.checksum === checksum) return { written: false, gone: 0 }
  if (known !== null && known.checksum !== checksum) return addLateRows(slice, checksum, target, journal)
  if (known === null) await journal.record(slice, checksum, 'begun')
  await target.insert(slice, slice.rows, checksum)
  if ((await target.checksumOf(slice)) !== checksum) {
    const { missing, gone } = compare(slice, await target.linesOf(slice))
    throw changed(slice, `the target has ${gone.length} rows of that time which are not the source's, and lacks ${missing.length}`)
  }
  await journal.record(slice, checksum, 'done')
  return { written: true, gone: 0 }
}

/** The source has other rows than when the slice was copied. Those that came late are added; those that went are kept; what was changed is for somebody to decide. */
async function addLateRows(slice: Slice, checksum: string, target: SliceTarget, journal: SliceJournal): Promise<SliceOutcome> {
  await target.endInserts(slice)
  const { missing, gone, doubled } = compare(slice, await target.linesOf(slice))
  if (doubled > 0 || (missing.length > 0 && gone.length > 0)) {
    throw changed(slice, `${gone.length} rows of the target are not the source's any more, ${missing.length} of the source's are not in the target`)
  }
  if (missing.length > 0) await target.insert(slice, missing, `${checksum}-late`)
  const after = compare(slice, await target.linesOf(slice))
  if (after.missing.length > 0 || after.doubled > 0) throw changed(slice, 'the target is written to by somebody else')
  await journal.record(slice, checksum, 'done')
  return { written: missing.length > 0, gone: gone.length }
}

interface Difference {
  readonly missing: readonly SliceRow[]
  readonly gone: readonly string[]
  /** Rows that the target has more often than the source, which has them. */
  readonly doubled: number
}

/** Equal rows count: three in the source and two in the target leave one missing. */
function compare({ rows }: Slice, lines: readonly string[]): Difference {
  const held = new Map<string, number>()
  for (const line of lines) held.set(line, (held.get(line) ?? 0) + 1)
  const inSource = new Set(rows.map(({ line }) => line))
  const missing = rows.filter(({ line }) => {
    const count = held.get(line) ?? 0
    if (count > 0) held.set(line, count - 1)
    return count === 0
  })
  const gone = [...held].flatMap(([line, count]) => Array.from({ length: count }, () => line))
  return { missing, gone, doubled: gone.filter((line) => inSource.has(line)).length }
}

function changed({ from, to }: Slice, what: string): OperationalError {
  return new OperationalError(`rows from ${textOfMoment(from)} to ${textOfMoment(to)} differ on both sides, and can't be brought together without losing some: ${what}`, {
    code: 'ERR_CLICKHOUSE_TIME_SERIES_CHANGED',
    status: 409,
    context: { from: textOfMoment(from), to: textOfMoment(to) },
  })
}
