import { createHash } from 'node:crypto'
import { type ColumnBatch, ConfigurationError, type Slice, type SliceScope } from '@smart-whale/interfaces'
import type { EventRefusal } from './event-refusal.ts'
import type { IngestRow, PipelineSink } from './event-types.ts'
import type { RecordBatch } from '../transport.ts'
import type { LetterOrigin } from './letter-origin.ts'

/** One record of a slice, by reference: its bytes stay in the batch that brought them. */
export interface SliceRecord {
  readonly batch: RecordBatch
  readonly index: number
  readonly offset: bigint
  /** The row for the stores; null when the record was refused, or left out on purpose. May be made only when it is read. */
  readonly row: IngestRow | null
  readonly refusal: EventRefusal | null
  /** Which of the pipeline's stores get the row: none of a record that is left out on purpose. @default all */
  readonly sinks?: readonly PipelineSink[]
  /** Columns that have the row among others', in the order of their records. @default none */
  readonly columns?: ColumnBatch
  /** Which of the columns' rows it is. @default none */
  readonly columnRow?: number
}

/** What a letter would say of where the record was. */
export const originOf = ({ offset, batch, index }: SliceRecord): LetterOrigin => ({ offset, timestamp: batch.timestampAt(index) })

/** Whether a record's row belongs into a store. */
export function goesTo(record: SliceRecord, sink: PipelineSink): boolean {
  return record.refusal === null && (record.sinks === undefined || record.sinks.includes(sink))
}

/** Whether records go elsewhere than to each of the pipeline's stores. */
export const isRouted = (records: readonly SliceRecord[]): boolean => records.some((record) => record.sinks !== undefined)

/** Records by whether they were refused, each in their order. Those of a slice are many: nothing grows meanwhile. */
export function partByRefusal(records: readonly SliceRecord[]): { readonly good: readonly SliceRecord[]; readonly refused: readonly SliceRecord[] } {
  const refused = refusedAmong(records)
  if (refused.length === 0) return { good: records, refused }
  const good = new Array<SliceRecord>(records.length - refused.length)
  let next = 0
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as SliceRecord
    if (record.refusal === null) good[next++] = record
  }
  return { good, refused }
}

function refusedAmong(records: readonly SliceRecord[]): readonly SliceRecord[] {
  const refused = new Array<SliceRecord>(countRefused(records))
  for (let index = 0, next = 0; next < refused.length; index++) {
    const record = records[index] as SliceRecord
    if (record.refusal !== null) refused[next++] = record
  }
  return refused
}

function countRefused(records: readonly SliceRecord[]): number {
  let count = 0
  for (let index = 0; index < records.length; index++) if (records[index]?.refusal !== null) count++
  return count
}

/** Whether the store may have rows of these, from slices that the ledger has forgotten. */
export function liesBehindLedger(records: readonly SliceRecord[], { storedUpTo }: { readonly storedUpTo: bigint | null }): boolean {
  return storedUpTo !== null && (records[0]?.offset ?? 0n) <= storedUpTo
}

/**
 * The slice of these records, which must not be empty: every record that has a refusal is excluded.
 * @param fingerprint of the definition: another one may make other rows, or none, of the same records
 */
export function sliceOf(scope: SliceScope, records: readonly SliceRecord[], fingerprint: string): Slice {
  const excluded = refusedAmong(records).map((record) => record.offset)
  const firstOffset = records[0]?.offset ?? 0n
  const lastOffset = records.at(-1)?.offset ?? firstOffset
  // Where nothing is routed, the exclusions say all.
  const selection = isRouted(records) ? [fingerprint, records.map(routeMark).join('')] : [fingerprint]
  return { firstOffset, lastOffset, excluded, token: sliceToken(scope, firstOffset, lastOffset, excluded, selection) }
}

/** One character for where a record goes. */
function routeMark(record: SliceRecord): string {
  if (record.refusal !== null) return 'x'
  return String(Number(goesTo(record, 'clickhouse')) + 2 * Number(goesTo(record, 'timescaledb')))
}

/**
 * The records, which are in the order of their offsets, with those at the given offsets refused as well, each for its reason. These are looked up, not
 * compared with all: to say its offset, a record makes a bigint.
 */
export function withRefusals(records: readonly SliceRecord[], reasons: ReadonlyMap<bigint, string>): readonly SliceRecord[] {
  const parted = records.slice()
  for (const [offset, reason] of reasons) {
    const place = placeOf(records, offset)
    const record = records[place]
    if (record === undefined || record.refusal !== null || record.offset !== offset) continue
    const { batch, index } = record
    parted[place] = { batch, index, offset, row: null, refusal: { code: 'refused-by-store', reason } }
  }
  return parted
}

/** Of the first record that lies at an offset or behind it. */
function placeOf(records: readonly SliceRecord[], offset: bigint): number {
  let [from, to] = [0, records.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if ((records[middle] as SliceRecord).offset < offset) from = middle + 1
    else to = middle
  }
  return from
}

/**
 * The records of a slice that was recorded earlier, parted as they were then.
 * @throws ConfigurationError `ERR_MESSAGING_DEFINITION_CHANGED` when a record that was good then is refused now, or when rows may be other ones or go elsewhere
 */
export function asRecorded(records: readonly SliceRecord[], slice: Slice, scope: SliceScope, fingerprint: string): readonly SliceRecord[] {
  const excluded = new Set(slice.excluded)
  const changed = records.find((record) => record.refusal !== null && !excluded.has(record.offset))
  if (changed !== undefined) throw definitionChanged(`its new definition refuses the record at offset ${changed.offset}`)
  const parted = withRefusals(records, new Map(slice.excluded.map((offset) => [offset, 'a store refused the row before the pipeline was restarted'])))
  if (sliceOf(namedScope(scope, slice), parted, fingerprint).token !== plainToken(slice.token)) throw definitionChanged('its definition has changed since, and may make other rows of the same events')
  return parted
}

/** The scope by which a slice is known: one that was taken over keeps the name that it was recorded under. */
export function namedScope(scope: SliceScope, slice: Slice | null): SliceScope {
  return slice?.recordedBy === undefined ? scope : { ...scope, pipeline: slice.recordedBy }
}

/** The slice as one that goes by the name of another slice of the same records. */
export function namedLike(slice: Slice, other: Slice | null): Slice {
  return other?.recordedBy === undefined ? slice : { ...slice, recordedBy: other.recordedBy }
}

/** The refusal to go on under another definition with what was begun under one. */
export function definitionChanged(how: string): ConfigurationError {
  return new ConfigurationError(`a slice was being written when the pipeline last stopped, and ${how}; some of it is stored or in the dead letters already: run the previous definition once, then change it`, { code: 'ERR_MESSAGING_DEFINITION_CHANGED' })
}

/**
 * The idempotency token of a slice. It follows from which records are in it and from the definition that makes rows of them; from nothing else,
 * so that a repeat has the same token, and another set of rows never has: a store that drops a known token would swallow it otherwise.
 */
export function sliceToken(scope: SliceScope, firstOffset: bigint, lastOffset: bigint, excluded: readonly bigint[], selection: readonly string[]): string {
  const identity = [scope.pipeline, scope.topicId, scope.partition, String(firstOffset), String(lastOffset), excluded.map(String), ...selection]
  return `${scope.partition}-${firstOffset}-${lastOffset}-${createHash('sha256').update(JSON.stringify(identity)).digest('base64url').slice(0, 24)}`
}

/** The part of a recorded token that follows from the slice's records alone. */
const plainToken = (token: string): string => token.split('~', 1)[0] ?? token

/**
 * The slice under a token that nobody has used: marked with the claim's epoch. What a store remembers of a slice that no ledger knows of any
 * more can't swallow it then.
 */
export function underEpoch(slice: Slice, epoch: bigint): Slice {
  return { ...slice, token: `${plainToken(slice.token)}~${epoch}` }
}

/** The slice under a further token that was never sent. */
export function withNewToken(slice: Slice): Slice {
  const [, token = slice.token, count = '1'] = /^(.*?)(?:\.(\d+))?$/.exec(slice.token) ?? []
  return { ...slice, token: `${token}.${Number(count) + 1}` }
}

/**
 * The slice as one that was cut where the store may have rows already, from slices that nobody remembers: its token says that
 * what is there may have been sent under others.
 */
export function recut(slice: Slice): Slice {
  return isRecut(slice) ? slice : { ...slice, token: `${slice.token}~again` }
}

/** Whether rows of this slice may have been stored under other tokens than its own. */
export function isRecut(slice: Slice): boolean {
  return /~again(?:\.\d+)?$/.test(slice.token)
}

/** The token for the rest of a slice of which the store has a part: it follows from the slice and from what is missing. */
export function remainderToken(slice: Slice, missing: readonly bigint[]): string {
  return `${slice.token}-r${createHash('sha256').update(missing.join()).digest('base64url').slice(0, 16)}`
}
