import type { PipelineSink } from '../event-types.ts'

/**
 * What is wrong with a range of offsets.
 *
 * - `missing`: a good event is not in a store that it belongs into, or a bad one has no dead letter
 * - `doubled`: it is there more than once
 * - `should-be-dead`: a row of a record that the pipeline refuses
 * - `not-routed-here`: a row of an event that was left out, or routed to the other store
 * - `stored-and-dead`: a row of a record that is in the dead letters as well
 * - `not-in-topic`: a row or a letter of an offset or partition that the topic does not have
 * - `ahead-of-ledger`: a row behind what the ledger has done, and not of the slice in flight
 * - `lost-to-retention`: the topic removed records before they were stored
 * - `different`: the row's content is not what the pipeline makes of the event
 */
export type FindingKind = 'missing' | 'doubled' | 'should-be-dead' | 'not-routed-here' | 'stored-and-dead' | 'not-in-topic' | 'ahead-of-ledger' | 'lost-to-retention' | 'different'

/** Where a finding is. */
export type FindingPlace = PipelineSink | 'dead-letters' | 'topic'

/** Neighbouring offsets of one partition that have the same thing wrong with them. */
export interface VerifyFinding {
  readonly kind: FindingKind
  readonly place: FindingPlace
  readonly topic: string
  readonly partition: number
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  /** How many of the offsets have it: as many as lie between the two ends, where nothing else is said. */
  readonly offsets: number
  /** What is wrong in particular: how often it is there, which column differs. */
  readonly detail: string | null
}

/** What was found of one partition. */
export interface PartitionVerdict {
  readonly partition: number
  /** First offset that the topic has. */
  readonly earliest: bigint
  /** The offset that the next record will get. */
  readonly latest: bigint
  /** First offset that the ledger has not done; null when it knows nothing of the partition. */
  readonly position: bigint | null
  /** The half-open range of offsets that was compared. */
  readonly checkedFrom: bigint
  readonly checkedTo: bigint
  /** Records of the range, and what the pipeline makes of them. */
  readonly records: number
  readonly good: number
  /** In the dead letters: refused by the pipeline, or by a store. */
  readonly dead: number
  /** Left out on purpose, by a transform or a route. */
  readonly leftOut: number
  /** Offsets before the topic's beginning: what they were can't be told any more. */
  readonly removed: bigint
  /** Bad records whose letters may have been removed by the retention of the dead letters. */
  readonly lettersUnknown: number
  /** Rows that are not in ClickHouse any more, for their age: `ttlDays` of the definition, counted by this machine's clock. */
  readonly expired: number
  /** The slice that is being written, or was when its owner died; its rows may be there or not. */
  readonly inFlight: { readonly firstOffset: bigint; readonly lastOffset: bigint } | null
  /** Offsets with something wrong, all kinds together. */
  readonly wrong: number
}

/** What was found of a pipeline. */
export interface VerifyReport {
  readonly pipeline: string
  readonly topic: string
  readonly partitions: readonly PartitionVerdict[]
  /** Offsets with something wrong, by kind; kinds that were not found are absent. */
  readonly counts: Readonly<Partial<Record<FindingKind, number>>>
  /** True when every record of the compared ranges is where it belongs, once, and nothing else is there. */
  readonly isWhole: boolean
}
