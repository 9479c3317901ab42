import { OperationError } from './errors.ts'

/** Whose progress is kept: one partition of one topic, for one pipeline. */
export interface SliceScope {
  readonly pipeline: string
  /** The topic's unique id, not its name: a topic that was deleted and made again starts anew. */
  readonly topicId: string
  readonly partition: number
}

/**
 * An offset range (both ends included) that is written as one, under one token.
 * Once recorded it is sent again exactly as recorded, however often, until it is done.
 */
export interface Slice {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  /** Idempotency token of the rows. Other rows need another token. */
  readonly token: string
  /** Offsets of the range that go to the dead letters and to no store, ascending. */
  readonly excluded: readonly bigint[]
  /** Where the dead letters of this slice are to be looked for before they are sent again; absent where none were ever sent. */
  readonly deadLettersFrom?: DeadLetterPosition | undefined
  /**
   * The pipeline that recorded it, where another one has taken its progress over since: its token and its letters bear that name until it is done.
   * @default the scope's
   */
  readonly recordedBy?: string | undefined
}

/** A place in a dead-letter topic: letters that were sent later lie at this offset or behind it. */
export interface DeadLetterPosition {
  readonly partition: number
  readonly offset: bigint
}

/** Where a partition stands. */
export interface SliceState {
  /** First offset that is not done. */
  readonly nextOffset: bigint
  /** Recorded and not yet done: its rows may or may not be in any store. */
  readonly inFlight: Slice | null
  /** Grows with each claim; writes that name an older one are refused. */
  readonly epoch: bigint
  readonly owner: string
}

/** The owner of progress that another pipeline was given, for as long as it has not claimed it. */
export const TAKEN_OVER = 'taken over'

/** How a partition is claimed. */
export interface ClaimOptions {
  /** Where a partition begins that the ledger doesn't know. @default 0n */
  startOffset?: bigint | undefined
  /**
   * Whether the ledger knew the partition when it was looked at. One that it doesn't know any more was given to another pipeline meanwhile, or is lost: it
   * is `ERR_STALE_EPOCH` then, and not begun anew. @default false
   */
  isKnown?: boolean | undefined
  /**
   * An epoch that was given out already, as a store remembers it; the claim's is larger. A ledger that lost its latest commits would
   * give it out a second time otherwise. @default 0n
   */
  aboveEpoch?: bigint | undefined
  /**
   * Where rows of the partition go. A ledger that keeps tables apart refuses a claim with `ERR_TABLE_TAKEN` where another pipeline has the table for
   * the topic: both would store all of it. Where nobody has it yet, it is claimed first. With a table of another store it refuses so what it has given to
   * another pipeline, in one with the claim. @default no table that a ledger looks after
   */
  into?: ClaimedTable | undefined
  /** Gives the claim up. @default undefined */
  signal?: AbortSignal | undefined
}

/** A table that partitions of a topic are stored in. */
export interface ClaimedTable {
  /** As the store knows it. */
  readonly table: string
  /** The topic's name, for people: the scope has its id. */
  readonly topic: string
  /**
   * Where it is. A store that is not the ledger's own decides itself whose its table is: the ledger remembers only to whom the pipeline's progress with it was
   * given. @default the ledger's own
   */
  readonly store?: 'ClickHouse' | 'PostgreSQL' | undefined
}

/** A pipeline that is to be the only one to store a topic into a table. */
export interface TableClaim extends ClaimedTable {
  readonly pipeline: string
  /** The topic's unique id. */
  readonly topicId: string
}

/** How a slice is recorded. */
export interface RecordOptions {
  /**
   * The `nextOffset` at which this claim left the ledger. One that stands elsewhere has lost commits: it is `ERR_STALE_EPOCH` then, because the
   * partition has to be claimed anew and what was lost to be done again. @default not looked at
   */
  expectedOffset?: bigint | undefined
  /**
   * Tokens under which the slice may be in flight already, besides its own. Another one is `ERR_STALE_EPOCH`: a request that was held up must not undo
   * what was recorded after it. @default not looked at
   */
  replaces?: readonly string[] | undefined
  /** Gives the call up. @default undefined */
  signal?: AbortSignal | undefined
}

/** The right to move a partition on, until somebody else claims it. */
export interface SliceClaim extends SliceState {
  readonly scope: SliceScope
}

/**
 * Remembers which slice is in flight before any store sees it, so that a crash at any instruction can be repeated exactly.
 * Every write names its claim's epoch and is refused with `ERR_STALE_EPOCH` when a newer owner has taken over.
 */
export interface SliceLedger {
  /** Most offsets that a slice may span, for a ledger that has little room: so many can be excluded in any pattern. @default no limit */
  readonly maxSpan?: number | undefined
  /**
   * Whether a table has one pipeline a topic: no other one is given any partition of the topic for it. @default false: who keeps the rows has to see
   * to it
   */
  readonly keepsTablesApart?: boolean | undefined
  /**
   * Gives a table to a pipeline for all partitions of a topic: of several that ask at once to the same one for all. It belongs to the pipeline's name
   * from then on, whoever works under that, until it is taken over. @default a ledger that does not keep tables apart
   * @throws OperationError `ERR_TABLE_TAKEN` where another pipeline has it
   */
  claimTable?(claim: TableClaim, options?: { signal?: AbortSignal | undefined }): Promise<void>
  /** Takes a partition over. @throws OperationError `ERR_TABLE_TAKEN` where the ledger keeps tables apart */
  claim(scope: SliceScope, owner: string, options?: ClaimOptions): Promise<SliceClaim>
  /**
   * Commits the slice as in flight, on its own and durably. Replaces a slice in flight only when the range is the same
   * (its token and exclusions are then amended). Any other range while one is in flight, a range that begins before `nextOffset`,
   * and one that ends before it begins are a `ValidationError`.
   */
  record(claim: SliceClaim, slice: Slice, options?: RecordOptions): Promise<void>
  /** Marks the recorded slice done: `nextOffset` is the one after it, nothing is in flight. A slice not in flight, by range and token, is a `ValidationError`. */
  complete(claim: SliceClaim, slice: Slice, options?: { signal?: AbortSignal | undefined }): Promise<void>
  /** What is known of a partition; `null` when nothing is. */
  inspect(scope: SliceScope, options?: { signal?: AbortSignal | undefined }): Promise<SliceState | null>
  /**
   * What it knows of the same partition by the pipeline or by the topic: of the same pipeline for another topic id, of the same topic for another pipeline, and
   * the scope itself, as all of it stands at one moment. Says why it may know nothing of a scope. @default can't tell
   */
  knownBeside?(scope: SliceScope, options?: { signal?: AbortSignal | undefined }): Promise<readonly SliceScope[]>
}

/** The refusal of a write whose claim a newer owner has taken over. */
export function staleEpochError(scope: SliceScope, epoch: bigint): OperationError<'ERR_STALE_EPOCH'> {
  return new OperationError(
    `partition ${scope.partition} of pipeline "${scope.pipeline}" was claimed by a newer owner: epoch ${epoch} may no longer write; claim it again or stop`,
    { code: 'ERR_STALE_EPOCH', context: { ...scope, epoch: String(epoch) } },
  )
}

/** Two pipelines, and what both would store. */
export interface TakenTable extends TableClaim {
  /** The store's name, for people. */
  readonly store: 'ClickHouse' | 'PostgreSQL'
  /** The pipeline that has the table. */
  readonly holder: string
}

/** The refusal to let a second pipeline store a topic into a table: each of its rows would be there twice. */
export function tableTakenError({ store, table, topic, topicId, pipeline, holder }: TakenTable): OperationError<'ERR_TABLE_TAKEN'> {
  return new OperationError(
    `the pipeline "${pipeline}" would store "${topic}" into the table "${table}" of ${store}, where the pipeline "${holder}" stores it already: every row would be there twice. Stop one of the two, or let "${pipeline}" write to another table; where "${pipeline}" is the new name of "${holder}", or replaces it, take it over: smart-whale-ingestor take-over --from ${holder} --pipeline ${pipeline}`,
    { code: 'ERR_TABLE_TAKEN', context: { pipeline, topicId, topic, store, table, holder } },
  )
}

/** The refusal to let a pipeline begin anew with a table, whose progress with it was given to another one: what both do from there on, neither would know of. */
export function progressGivenError({ store, table, topic, topicId, pipeline, holder }: TakenTable): OperationError<'ERR_TABLE_TAKEN'> {
  return new OperationError(
    `the progress of the pipeline "${pipeline}" with "${topic}" into the table "${table}" of ${store} was given to the pipeline "${holder}", and "${pipeline}" would begin anew beside it. Give the command again if it did not come to its end: smart-whale-ingestor take-over --from ${pipeline} --pipeline ${holder}; or have "${pipeline}" go on in the place of "${holder}": smart-whale-ingestor take-over --from ${holder} --pipeline ${pipeline}`,
    { code: 'ERR_TABLE_TAKEN', context: { pipeline, topicId, topic, store, table, holder } },
  )
}
