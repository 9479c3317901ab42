import { createHash } from 'node:crypto'
import { ConfigurationError, type Slice, type SliceScope } from '@smart-whale/interfaces'
import type { EventRefusal, IngestRow } from './decode-record.ts'
import type { RecordBatch } from '../transport.ts'

/** One record of a slice, by reference: its bytes stay in the batch that brought them. */
export interface SliceRecord {
  readonly batch: RecordBatch
  readonly index: number
  readonly offset: bigint
  /** The row for the stores; null when the record was refused. */
  readonly row: IngestRow | null
  readonly refusal: EventRefusal | null
}

/** The slice of these records, which must not be empty: every record that has a refusal is excluded. */
export function sliceOf(scope: SliceScope, records: readonly SliceRecord[]): Slice {
  const excluded = records.filter((record) => record.refusal !== null).map((record) => record.offset)
  const firstOffset = records[0]?.offset ?? 0n
  const lastOffset = records.at(-1)?.offset ?? firstOffset
  return { firstOffset, lastOffset, excluded, token: sliceToken(scope, firstOffset, lastOffset, excluded) }
}

/** The records with those at the given offsets refused as well, each for its reason. */
export function withRefusals(records: readonly SliceRecord[], reasons: ReadonlyMap<bigint, string>): readonly SliceRecord[] {
  return records.map((record) => {
    const reason = record.refusal === null ? reasons.get(record.offset) : undefined
    return reason === undefined ? record : { ...record, row: null, refusal: { code: 'refused-by-store', reason } }
  })
}

/**
 * The records of a slice that was recorded earlier, parted as they were then.
 * @throws ConfigurationError `ERR_MESSAGING_DEFINITION_CHANGED` when a record that was good then is refused now
 */
export function asRecorded(records: readonly SliceRecord[], slice: Slice): readonly SliceRecord[] {
  const excluded = new Set(slice.excluded)
  const changed = records.find((record) => record.refusal !== null && !excluded.has(record.offset))
  if (changed !== undefined) {
    throw new ConfigurationError(
      `the record at offset ${changed.offset} is part of a slice that was being written when the pipeline last stopped, and its new definition refuses it; run the previous definition once, then change it`,
      { code: 'ERR_MESSAGING_DEFINITION_CHANGED' },
    )
  }
  return withRefusals(records, new Map(slice.excluded.map((offset) => [offset, 'a store refused the row before the pipeline was restarted'])))
}

/**
 * The idempotency token of a slice. It follows from which records are in it and from nothing else, so that a repeat has
 * the same token, and another set of records never has: a store that drops a known token would swallow it otherwise.
 */
export function sliceToken(scope: SliceScope, firstOffset: bigint, lastOffset: bigint, excluded: readonly bigint[]): string {
  const identity = JSON.stringify([scope.pipeline, scope.topicId, scope.partition, String(firstOffset), String(lastOffset), excluded.map(String)])
  return `${scope.partition}-${firstOffset}-${lastOffset}-${createHash('sha256').update(identity).digest('base64url').slice(0, 24)}`
}

/** The token for the rest of a slice of which the store has a part: it follows from the slice and from what is missing. */
export function remainderToken(slice: Slice, missing: readonly bigint[]): string {
  return `${slice.token}-r${createHash('sha256').update(missing.join()).digest('base64url').slice(0, 16)}`
}
