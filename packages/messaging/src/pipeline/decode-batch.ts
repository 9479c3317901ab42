import type { ColumnBatch } from '@smart-whale/interfaces'
import type { RecordBatch, ValuePlace } from '../transport.ts'
import { columnsDecoder, type ColumnsDecoder } from './columns/column-decoder.ts'
import { ColumnPool } from './columns/column-pool.ts'
import { PlainRecords } from './columns/plain-records.ts'
import { dropPicked } from './columns/slice-columns.ts'
import { eventFieldsDecoder, type HeaderOf } from './decode-record.ts'
import { RecordRefusal } from './event-refusal.ts'
import type { EventContext, IngestRow, PipelineSink } from './event-types.ts'
import { type PipelineDefinition, RESERVED_COLUMNS } from './pipeline-definition.ts'
import { refusalOfNoJson } from './parse-event.ts'
import type { UndeclaredField } from './read-event.ts'
import type { SliceRecord } from './slice-records.ts'

/** Turns the records of a batch into rows or refusals, in order. */
export type BatchDecoder = (batch: RecordBatch) => SliceRecord[]

/** Decodes slices, each batch by batch. */
export interface SliceDecoder {
  /** Begins a slice, while another one may still be written. */
  begin(): void
  /** Appends the batch's records to those of the slice. */
  decode(batch: RecordBatch, records: SliceRecord[]): void
  /** The slice is cut: nothing more comes. */
  end(): void
  /** Nobody looks at the oldest of the slices any more: its records and columns become those of another one. */
  done(): void
}

/** What is told while records are decoded. A slice that is repeated is told again. */
export interface DecodeObserver {
  /** An event has a field that its version does not declare. */
  readonly onUndeclared: UndeclaredField
  /** An event is of this version; not told in a pipeline without versions. */
  readonly onVersion: (version: string) => void
}

const NOWHERE: readonly PipelineSink[] = []

/** Compiles the step from record to row: fields, version, transform and route, then where the event came from. */
export function batchDecoder(definition: PipelineDefinition, observer: DecodeObserver | null = null): BatchDecoder {
  const decode = recordDecoder(definition, observer)
  return (batch) => {
    const records: SliceRecord[] = []
    for (let index = 0; index < batch.length; index++) records.push(decode(batch, index))
    return records
  }
}

/**
 * Compiles the same for slices that are to be stored. Where a row is what an event's fields say, plain events go into columns, and rows are made
 * only for whoever reads them: a store that takes no columns, or the search for rows that one refuses.
 * @param pool of columns that decoders of the same definition share
 */
export function sliceDecoder(definition: PipelineDefinition, observer: DecodeObserver | null = null, pool: ColumnPool = new ColumnPool()): SliceDecoder {
  const columns = columnsDecoder(definition, observer?.onUndeclared ?? null, pool)
  if (columns === null) return rowDecoder(recordDecoder(definition, observer))
  return plainEventsFirst(columns, recordDecoder(definition, observer), recordDecoder(definition, null))
}

function rowDecoder(decode: RecordDecoder): SliceDecoder {
  return {
    begin: () => {},
    decode: (batch, records) => {
      for (let index = 0; index < batch.length; index++) records.push(decode(batch, index))
    },
    end: () => {},
    done: () => {},
  }
}

/** Turns one record of a batch into a row or a refusal. */
type RecordDecoder = (batch: RecordBatch, index: number) => SliceRecord

/** @param decodeAgain makes the row of an event that was told of before */
function plainEventsFirst(columns: ColumnsDecoder, decode: RecordDecoder, decodeAgain: RecordDecoder): SliceDecoder {
  const makeRow = (batch: RecordBatch, index: number): IngestRow | null => decodeAgain(batch, index).row
  // While the records of one slice are written, those of the next one are read; the one after it has the first one's again.
  let [plain, next] = [new PlainRecords(makeRow), new PlainRecords(makeRow)]
  let rows = 0
  // Of the slices that are still looked at, the oldest first.
  const looked: ColumnBatch[] = []
  const place: ValuePlace = { bytes: Buffer.alloc(0), start: 0, end: 0, offset: 0 }
  return {
    begin: () => {
      ;[plain, next] = [next, plain]
      plain.begin()
      columns.begin()
      rows = 0
    },
    decode: (batch, records) => {
      plain.add(batch, records.length)
      for (let index = 0; index < batch.length; index++) {
        const isThere = locate(batch, index, place)
        if (isThere && columns.addEvent(place, batch)) {
          records.push(plain.at(records.length, rows++))
          continue
        }
        const record = isThere && columns.isNoJson ? noJson(batch, index) : decode(batch, index)
        if (record.row !== null) columns.addRow(record.row, batch)
        records.push(record.row === null ? record : { ...record, columns: plain.columns, columnRow: rows++ })
      }
    },
    end: () => {
      Object.assign(plain.columns, columns.collected())
      looked.push(plain.columns)
    },
    done: () => {
      const oldest = looked.shift()
      if (oldest !== undefined) dropPicked(oldest)
      columns.done()
    },
  }
}

/** What the first look at an event has shown to be no JSON. */
function noJson(batch: RecordBatch, index: number): SliceRecord {
  return { batch, index, offset: batch.offsetAt(index), row: null, refusal: refusalOfNoJson(batch.valueAt(index) as Uint8Array) }
}

function locate(batch: RecordBatch, index: number, place: ValuePlace): boolean {
  if (batch.locateValue !== undefined) return batch.locateValue(index, place)
  const value = batch.valueAt(index)
  if (value === null) return false
  place.bytes = value
  place.start = 0
  place.end = value.length
  place.offset = Number(batch.offsetAt(index))
  return Number.isSafeInteger(place.offset)
}

function recordDecoder(definition: PipelineDefinition, observer: DecodeObserver | null): RecordDecoder {
  const decode = eventFieldsDecoder(definition, { moreColumns: definition.transform === null ? RESERVED_COLUMNS : [], onUndeclared: observer?.onUndeclared ?? null })
  const { versionFrom, transform, route } = definition
  const finish = transform === null && route === null && versionFrom === null ? null : rowFinisher(definition)
  const withOrigin = originWriter(definition)
  const header = new HeaderReader()
  return (batch, index) => {
    const offset = batch.offsetAt(index)
    const decoded = decode(batch.valueAt(index), header.at(batch, index))
    if (decoded instanceof RecordRefusal) return { batch, index, offset, row: null, refusal: decoded }
    const { row, reader } = decoded
    if (finish === null) return { batch, index, offset, row: withOrigin(row, batch, offset), refusal: null }
    const version = versionFrom === null ? null : reader.version.name
    if (version !== null) observer?.onVersion(version)
    const finished = finish(row, reader.version.upgrade, new RecordContext(batch, index, version))
    if (finished instanceof RecordRefusal) return { batch, index, offset, row: null, refusal: finished }
    if (finished === null) return { batch, index, offset, row: null, refusal: null, sinks: NOWHERE }
    return { batch, index, offset, row: withOrigin(finished.row, batch, offset), refusal: null, sinks: finished.sinks }
  }
}

type Finished = { readonly row: IngestRow; readonly sinks: readonly PipelineSink[] } | RecordRefusal | null

/** What comes behind the fields: an older version is upgraded, then transformed, reduced to the columns, and routed. */
function rowFinisher({ columns, transform, route, sinks }: PipelineDefinition): (row: IngestRow, upgrade: PipelineDefinition['transform'], context: EventContext) => Finished {
  const names = Object.keys(columns)
  return (event, upgrade, context) => {
    const upgraded = upgrade === null ? event : upgrade(event, context)
    if (upgraded === null || upgraded instanceof RecordRefusal) return upgraded
    const made = transform === null ? upgraded : transform(upgraded, context)
    if (made === null || made instanceof RecordRefusal) return made
    const row: IngestRow = {}
    for (const name of names) row[name] = made[name]
    const chosen = route === null ? sinks : route(row, context)
    if (chosen instanceof RecordRefusal) return chosen
    return chosen.length === 0 ? null : { row, sinks: chosen }
  }
}

function originWriter({ id }: PipelineDefinition): (row: IngestRow, batch: RecordBatch, offset: bigint) => IngestRow {
  return (row, batch, offset) => {
    row.event_id = id === null ? `${batch.partition}-${offset}` : eventId(row[id])
    row.source_topic = batch.topic
    row.source_partition = batch.partition
    row.source_offset = offset
    return row
  }
}

function eventId(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value)
}

/** Headers of the record that was asked for last: nothing is made for records whose headers nobody reads. */
class HeaderReader {
  #batch: RecordBatch | null = null
  #index = 0
  readonly #read: HeaderOf = (name) => (this.#batch === null ? null : headerText(this.#batch, this.#index, name))

  at(batch: RecordBatch, index: number): HeaderOf {
    this.#batch = batch
    this.#index = index
    return this.#read
  }
}

function headerText(batch: RecordBatch, index: number, name: string): string | null {
  const headers = batch.headersAt(index)
  const bytes = Object.hasOwn(headers, name) ? headers[name] : undefined
  return bytes === undefined ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

/** Where an event stands, looked up when it is asked for. */
class RecordContext implements EventContext {
  readonly version: string | null
  readonly #batch: RecordBatch
  readonly #index: number

  constructor(batch: RecordBatch, index: number, version: string | null) {
    this.#batch = batch
    this.#index = index
    this.version = version
  }

  get topic(): string {
    return this.#batch.topic
  }

  get partition(): number {
    return this.#batch.partition
  }

  get offset(): bigint {
    return this.#batch.offsetAt(this.#index)
  }

  get timestamp(): Date {
    return new Date(this.#batch.timestampAt(this.#index))
  }

  header(name: string): string | null {
    return headerText(this.#batch, this.#index, name)
  }
}
