import type { ColumnBatch } from '@smart-whale/interfaces'
import type { RecordBatch } from '../../transport.ts'
import type { IngestRow } from '../event-types.ts'
import type { SliceRecord } from '../slice-records.ts'

/** Makes the row of a record that lies in columns: for a store that wants one, or to find out which one is refused. */
type MakeRow = (batch: RecordBatch, index: number) => IngestRow | null

type MutableColumns = { -readonly [K in keyof ColumnBatch]: ColumnBatch[K] }

/**
 * The records of one slice after the other whose rows lie in columns. There is an object for the first, the second, the third record of a
 * slice, made once: thousands of new ones for each slice, which live as long as it is being written, would keep the collector at copying.
 */
export class PlainRecords {
  /** Of the slice as a whole; its rows are known when it is cut. */
  columns: MutableColumns = { rows: 0, columns: [] }
  readonly #makeRow: MakeRow
  readonly #records: PlainRecord[] = []
  readonly #batches: RecordBatch[] = []
  /** Where the records of each batch begin within the slice. */
  readonly #starts: number[] = []
  #last = 0

  constructor(makeRow: MakeRow) {
    this.#makeRow = makeRow
  }

  /** Forgets the slice; its records become those of the next one. */
  begin(): void {
    this.columns = { rows: 0, columns: [] }
    this.#batches.length = 0
    this.#starts.length = 0
    this.#last = 0
  }

  /** The records from this place of the slice on are the batch's. */
  add(batch: RecordBatch, start: number): void {
    this.#batches.push(batch)
    this.#starts.push(start)
  }

  /** The record at a place of the slice, whose row is one of the columns'. */
  at(place: number, columnRow: number): SliceRecord {
    while (this.#records.length <= place) this.#records.push(new PlainRecord(this, this.#records.length))
    const record = this.#records[place] as PlainRecord
    record.columnRow = columnRow
    return record
  }

  batchOf(place: number): RecordBatch {
    return this.#batches[this.#find(place)] as RecordBatch
  }

  indexOf(place: number): number {
    return place - (this.#starts[this.#find(place)] as number)
  }

  rowOf(place: number): IngestRow | null {
    return this.#makeRow(this.batchOf(place), this.indexOf(place))
  }

  /** Which batch has the record: mostly that of the one before. */
  #find(place: number): number {
    let found = this.#last
    while (found > 0 && (this.#starts[found] as number) > place) found--
    while (found + 1 < this.#starts.length && (this.#starts[found + 1] as number) <= place) found++
    this.#last = found
    return found
  }
}

class PlainRecord implements SliceRecord {
  columnRow = 0
  readonly #slice: PlainRecords
  readonly #place: number

  constructor(slice: PlainRecords, place: number) {
    this.#slice = slice
    this.#place = place
  }

  get batch(): RecordBatch {
    return this.#slice.batchOf(this.#place)
  }

  get index(): number {
    return this.#slice.indexOf(this.#place)
  }

  get offset(): bigint {
    return this.batch.offsetAt(this.index)
  }

  get row(): IngestRow | null {
    return this.#slice.rowOf(this.#place)
  }

  get refusal(): null {
    return null
  }

  get columns(): ColumnBatch {
    return this.#slice.columns
  }
}
