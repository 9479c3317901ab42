import type { RecordBatch } from '../../transport.ts'
import type { BatchDecoder } from '../decode-batch.ts'
import type { IngestRow, PipelineSink } from '../event-types.ts'
import { goesTo } from '../slice-records.ts'

/** What the pipeline makes of one record. */
export type Fate = 'absent' | 'refused' | 'left-out' | 'stored'

const ABSENT = 0
const REFUSED = 1
const LEFT_OUT = 2
const STORED = 4
const EXPIRED = 32
const SINK_BITS: Readonly<Record<PipelineSink, number>> = { clickhouse: 8, timescaledb: 16 }

/** What should be of each offset of a range: one byte an offset, and the rows themselves where content is compared. */
export class ExpectedRange {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly #fates: Uint8Array
  readonly #rows: Map<bigint, IngestRow> | null
  readonly #isExpired: (row: IngestRow) => boolean

  /** @param isExpired whether ClickHouse may have removed a row for its age */
  constructor(firstOffset: bigint, lastOffset: bigint, keepRows: boolean, isExpired: (row: IngestRow) => boolean = () => false) {
    this.firstOffset = firstOffset
    this.lastOffset = lastOffset
    this.#fates = new Uint8Array(Number(lastOffset - firstOffset) + 1)
    this.#rows = keepRows ? new Map() : null
    this.#isExpired = isExpired
  }

  /** Decodes the records of a batch as the pipeline does; those beyond the range's end are passed over. */
  add(batch: RecordBatch, decode: BatchDecoder): void {
    for (const record of decode(batch)) {
      if (record.offset > this.lastOffset || record.offset < this.firstOffset) continue
      const sinks = (goesTo(record, 'clickhouse') ? SINK_BITS.clickhouse : 0) | (goesTo(record, 'timescaledb') ? SINK_BITS.timescaledb : 0)
      const fate = record.refusal !== null ? REFUSED : sinks === 0 ? LEFT_OUT : STORED | sinks | (this.#isExpired(record.row as IngestRow) ? EXPIRED : 0)
      this.#fates[Number(record.offset - this.firstOffset)] = fate
      if (fate > STORED) this.#rows?.set(record.offset, record.row as IngestRow)
    }
  }

  fateOf(offset: bigint): Fate {
    const fate = this.#fates[Number(offset - this.firstOffset)] ?? ABSENT
    if (fate >= STORED) return 'stored'
    return fate === REFUSED ? 'refused' : fate === LEFT_OUT ? 'left-out' : 'absent'
  }

  belongsTo(offset: bigint, sink: PipelineSink): boolean {
    return ((this.#fates[Number(offset - this.firstOffset)] ?? ABSENT) & SINK_BITS[sink]) !== 0
  }

  /** Whether the store may have removed the row for its age. */
  mayHaveExpired(offset: bigint, sink: PipelineSink): boolean {
    return sink === 'clickhouse' && ((this.#fates[Number(offset - this.firstOffset)] ?? ABSENT) & EXPIRED) !== 0
  }

  /** The row that should be stored; undefined when content isn't compared, or nothing should be. */
  rowOf(offset: bigint): IngestRow | undefined {
    return this.#rows?.get(offset)
  }
}
