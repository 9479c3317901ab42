import type { PipelineSink } from '../event-types.ts'
import type { ExpectedRange } from './expected-range.ts'
import type { FindingGatherer } from './gather-findings.ts'

/** What there is of a range. */
export interface ActualRange {
  /** Offsets of the rows of each store that the pipeline writes to, ascending, one entry a row. */
  readonly stored: ReadonlyMap<PipelineSink, readonly bigint[]>
  /** How many dead letters there are of an offset. */
  readonly letters: ReadonlyMap<bigint, number>
  /** Whether retention has removed dead letters. */
  readonly lettersAreCut: boolean
}

/** What the records of a range turned out to be. */
export interface RangeTally {
  records: number
  good: number
  dead: number
  leftOut: number
  lettersUnknown: number
  /** Rows that are not there, and that ClickHouse may have removed for their age. */
  expired: number
}

/** Compares offset by offset, from `firstOffset` on, and tells what is wrong. */
export function compareRange(expected: ExpectedRange, firstOffset: bigint, actual: ActualRange, findings: FindingGatherer): RangeTally {
  const tally: RangeTally = { records: 0, good: 0, dead: 0, leftOut: 0, lettersUnknown: 0, expired: 0 }
  const cursors = [...actual.stored].map(([sink, offsets]) => ({ sink, offsets, at: 0 }))
  for (const cursor of cursors) while ((cursor.offsets[cursor.at] ?? firstOffset) < firstOffset) cursor.at++
  for (let offset = firstOffset; offset <= expected.lastOffset; offset++) {
    const letters = actual.letters.get(offset) ?? 0
    let rowsOfAll = 0
    for (const cursor of cursors) {
      let rows = 0
      for (; cursor.offsets[cursor.at] === offset; cursor.at++) rows++
      rowsOfAll += rows
      checkStore({ expected, offset, letters, rows, sink: cursor.sink }, findings, tally)
    }
    checkLetters({ expected, offset, letters, rowsOfAll, areCut: actual.lettersAreCut }, findings, tally)
    count(expected, offset, letters, tally)
  }
  return tally
}

interface StoreCase {
  readonly expected: ExpectedRange
  readonly offset: bigint
  readonly letters: number
  readonly rows: number
  readonly sink: PipelineSink
}

function checkStore({ expected, offset, letters, rows, sink }: StoreCase, findings: FindingGatherer, tally: RangeTally): void {
  const isWanted = letters === 0 && expected.belongsTo(offset, sink)
  if (isWanted ? rows === 1 : rows === 0) return
  if (rows === 0 && expected.mayHaveExpired(offset, sink)) return void tally.expired++
  if (rows === 0) return findings.add({ kind: 'missing', place: sink, offset })
  if (isWanted) return findings.add({ kind: 'doubled', place: sink, offset, detail: `${rows} times` })
  const fate = expected.fateOf(offset)
  const kind = fate === 'absent' ? 'not-in-topic' : fate === 'refused' ? 'should-be-dead' : letters > 0 ? 'stored-and-dead' : 'not-routed-here'
  findings.add({ kind, place: sink, offset, detail: rows > 1 ? `${rows} times` : null })
}

interface LetterCase {
  readonly expected: ExpectedRange
  readonly offset: bigint
  readonly letters: number
  readonly rowsOfAll: number
  readonly areCut: boolean
}

function checkLetters({ expected, offset, letters, rowsOfAll, areCut }: LetterCase, findings: FindingGatherer, tally: RangeTally): void {
  const fate = expected.fateOf(offset)
  if (letters > 1) findings.add({ kind: 'doubled', place: 'dead-letters', offset, detail: `${letters} times` })
  if (letters > 0 && fate === 'absent') findings.add({ kind: 'not-in-topic', place: 'dead-letters', offset })
  if (letters > 0 || fate !== 'refused') return
  // Stored although it is bad: that is told of the store.
  if (areCut) tally.lettersUnknown++
  else if (rowsOfAll === 0) findings.add({ kind: 'missing', place: 'dead-letters', offset })
}

function count(expected: ExpectedRange, offset: bigint, letters: number, tally: RangeTally): void {
  const fate = expected.fateOf(offset)
  if (fate === 'absent') return
  tally.records++
  if (letters > 0 || fate === 'refused') tally.dead++
  else if (fate === 'left-out') tally.leftOut++
  else tally.good++
}
