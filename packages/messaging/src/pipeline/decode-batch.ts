import type { RecordBatch } from '../transport.ts'
import { eventFieldsDecoder, type HeaderOf } from './decode-record.ts'
import { RecordRefusal } from './event-refusal.ts'
import type { EventContext, IngestRow, PipelineSink } from './event-types.ts'
import { type PipelineDefinition, RESERVED_COLUMNS } from './pipeline-definition.ts'
import type { UndeclaredField } from './read-event.ts'
import type { SliceRecord } from './slice-records.ts'

/** Turns the records of a batch into rows or refusals, in order. */
export type BatchDecoder = (batch: RecordBatch) => SliceRecord[]

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
  const decode = eventFieldsDecoder(definition, { moreColumns: definition.transform === null ? RESERVED_COLUMNS : [], onUndeclared: observer?.onUndeclared ?? null })
  const { versionFrom, transform, route } = definition
  const finish = transform === null && route === null && versionFrom === null ? null : rowFinisher(definition)
  const withOrigin = originWriter(definition)
  return (batch) => {
    const records: SliceRecord[] = []
    const header = headerReader(batch)
    for (let index = 0; index < batch.length; index++) {
      const offset = batch.offsetAt(index)
      const decoded = decode(batch.valueAt(index), header.of(index))
      if (decoded instanceof RecordRefusal) {
        records.push({ batch, index, offset, row: null, refusal: decoded })
        continue
      }
      const { row, reader } = decoded
      if (finish === null) {
        records.push({ batch, index, offset, row: withOrigin(row, batch, offset), refusal: null })
        continue
      }
      if (versionFrom !== null) observer?.onVersion(reader.version.name)
      const finished = finish(row, reader.version.upgrade, new RecordContext(batch, index, versionFrom === null ? null : reader.version.name))
      if (finished instanceof RecordRefusal) records.push({ batch, index, offset, row: null, refusal: finished })
      else if (finished === null) records.push({ batch, index, offset, row: null, refusal: null, sinks: NOWHERE })
      else records.push({ batch, index, offset, row: withOrigin(finished.row, batch, offset), refusal: null, sinks: finished.sinks })
    }
    return records
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
function headerReader(batch: RecordBatch): { of(index: number): HeaderOf } {
  let current = 0
  const read: HeaderOf = (name) => headerText(batch, current, name)
  return {
    of: (index) => {
      current = index
      return read
    },
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
