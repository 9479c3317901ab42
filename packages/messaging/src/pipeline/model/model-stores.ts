import {
  type Batch,
  type BatchTransaction,
  type ClaimedTable,
  type ColumnBatch,
  OperationError,
  type RefusedRow,
  type SliceClaim,
  type SliceLedger,
  type SliceScope,
  type SliceSource,
  staleEpochError,
  tableTakenError,
  type TransactionalBatchWriter,
  type TurnBatch,
  type TurnBatchWriter,
  ValidationError,
  type WriteTurn,
} from '@smart-whale/interfaces'
import type { IngestRow } from '../decode-record.ts'
import type { EventKind, LedgerLock, PostgresState, World } from './model-world.ts'
import type { ProcessLife } from './process-life.ts'

/** The rows of events of a kind. */
function refusals(world: World, kind: EventKind, rows: readonly IngestRow[]): RefusedRow[] {
  return rows.flatMap((row, index) => (world.kinds[Number(row.source_offset)] === kind ? [{ index, reason: kind }] : []))
}

/** The definitions of the model differ by a column. */
const definitionOf = (rows: readonly IngestRow[]): string => (rows.some((row) => 'note' in row) ? 'noted' : 'plain')

const offsetsOf = (rows: readonly IngestRow[]): bigint[] => rows.map((row) => row.source_offset as bigint)

/** As much of the rows that lie in columns as the model looks at. */
function rowsIn({ rows, columns }: ColumnBatch): IngestRow[] {
  const bytes = columns.find(({ name }) => name === 'source_offset')?.bytes ?? new Uint8Array()
  const offsets = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const note = columns.some(({ name }) => name === 'note') ? { note: null } : {}
  return Array.from({ length: rows }, (_, row) => ({ source_offset: offsets.getBigInt64(8 * row, true), ...note }))
}

/** Now and then a batch has something that only rows decide on. */
const isTaken = ({ rows }: ColumnBatch): boolean => rows % 3 !== 0

function isBefore(one: WriteTurn, other: WriteTurn): boolean {
  if (one.epoch !== other.epoch) return one.epoch < other.epoch
  return one.attempt < other.attempt
}

/** Inserts as the server carries them out, and what becomes of one at which the server is killed. */
function modelInserts(world: World): { begin: (batch: TurnBatch<IngestRow>) => () => void; killedAt: (batch: TurnBatch<IngestRow>, moment: number) => void } {
  /** The server begins with an insert: from here on it runs, whatever becomes of its client. */
  const begin = ({ rows, token, turn }: TurnBatch<IngestRow>): (() => void) => {
    if (world.turn?.holder !== turn.holder) throw staleEpochError(turn.scope, turn.epoch)
    if (refusals(world, 'refused-by-clickhouse', rows).length > 0) throw new ValidationError('refused')
    return () => world.insert(token, offsetsOf(rows), definitionOf(rows))
  }
  const killedAt = (batch: TurnBatch<IngestRow>, moment: number): void => {
    world.running = []
    if (world.turn?.holder !== batch.turn.holder || refusals(world, 'refused-by-clickhouse', batch.rows).length > 0) return
    if (world.tokens.includes(batch.token)) return
    // Only the token was kept; or the table got the rows and its view didn't; or the insert is held up and goes on.
    if (moment % 3 === 0) world.tokens.push(batch.token)
    if (moment % 3 === 1) {
      world.tokens.push(batch.token)
      world.store(offsetsOf(batch.rows), definitionOf(batch.rows))
    }
    if (moment % 3 === 2) runOn(batch, moment)
  }
  const runOn = (batch: TurnBatch<IngestRow>, delay: number): void => {
    const insert = { turn: batch.turn, store: begin(batch) }
    world.running.push(insert)
    world.later(delay, () => {
      if (!world.running.includes(insert)) return
      world.running.splice(world.running.indexOf(insert), 1)
      insert.store()
    })
  }
  return { begin, killedAt }
}

/** ClickHouse as one process reaches it. */
export function modelClickHouse(world: World, life: ProcessLife, hasViews: boolean): TurnBatchWriter<IngestRow> {
  const there = (): bigint[] => world.clickhouse.filter((offset) => world.kinds[Number(offset)] !== 'old')
  const within = (first: bigint, last: bigint): bigint[] => there().filter((offset) => offset >= first && offset <= last)
  const { begin, killedAt } = modelInserts(world)
  return {
    write: (batch: Batch<IngestRow> | TurnBatch<IngestRow>) => {
      if (!('turn' in batch)) throw new TypeError('the model knows no write without a turn')
      const write = (): { rows: number } => {
        begin(batch)()
        return { rows: batch.rows.length }
      }
      return life.step(write, { onServerFailure: (moment) => killedAt(batch, moment) })
    },
    findRefused: (rows) => life.step(() => refusals(world, 'refused-by-clickhouse', rows)),
    storedOffsets: ({ firstOffset, lastOffset }: SliceSource) => life.step(() => within(firstOffset, lastOffset)),
    lastStored: ({ firstOffset }) => life.step(() => lastOf(there(), firstOffset)),
    feedsViews: async () => hasViews,
    expiredAmong: (rows) => life.step(() => refusals(world, 'old', rows).map(({ index }) => index)),
    claimTable: (claim) =>
      life.step(() => {
        if (world.holder !== null && world.holder !== claim.pipeline) throw tableTakenError({ ...claim, store: 'ClickHouse', table: 'model', holder: world.holder })
        if (world.holder === null) world.timesGiven++
        world.holder = claim.pipeline
      }),
    tableHolder: () => life.step(() => world.holder),
    latestTurn: () => life.step(() => (world.turn === null ? null : { epoch: world.turn.epoch, pipeline: world.turn.scope.pipeline })),
    takeTurn: async (claim) => {
      const turn = await life.step(() => takeTurn(world, claim))
      // What runs under earlier turns ends one way or the other before the turn is given.
      await life.step(() => {
        for (const insert of world.running.filter((each) => isBefore(each.turn, turn))) {
          world.running.splice(world.running.indexOf(insert), 1)
          if (world.clickhouse.length % 2 === 0) insert.store()
        }
      })
      return turn
    },
  }
}

let holders = 0

function takeTurn(world: World, claim: SliceClaim): WriteTurn {
  const { turn } = world
  const isStale = turn !== null && (turn.epoch > claim.epoch || (turn.epoch === claim.epoch && !turn.holder.startsWith(`${claim.owner}/`)))
  if (isStale) throw staleEpochError(claim.scope, claim.epoch)
  if (world.holder !== null && world.holder !== claim.scope.pipeline) throw tableTakenError({ ...claim.scope, topic: 'model', store: 'ClickHouse', table: 'model', holder: world.holder })
  world.turn = { scope: claim.scope, epoch: claim.epoch, attempt: turn?.epoch === claim.epoch ? turn.attempt + 1 : 0, holder: `${claim.owner}/${holders++}` }
  return world.turn
}

/** The database as one process meets it: who holds the partition, and who waits for the row's lock. */
export function modelRow(world: World, life: ProcessLife): { held(claim: SliceClaim): PostgresState; awaitLock(): void; onServerFailure(howMany: number): void } {
  const onServerFailure = (howMany: number): void => world.loseCommits(howMany % 4)
  const held = (claim: SliceClaim): PostgresState => {
    const state = world.postgres
    if (state === null || state.epoch !== claim.epoch || state.owner !== claim.owner) throw staleEpochError(claim.scope, claim.epoch)
    return state
  }
  /** Waits for whoever has the row's lock; here that means: try again, unless the server has ended that transaction. */
  const awaitLock = (): void => {
    const { lock } = world
    if (lock === null || lock.life === life) return
    if (lock.commitLater !== null) lock.commitLater()
    else if (lock.life.isAwake) throw new OperationError('locked', { retryable: true })
    world.lock = null
  }
  return { held, awaitLock, onServerFailure }
}

/** Opens one transaction of a process. */
function beginModelTransaction(world: World, life: ProcessLife): BatchTransaction<IngestRow> {
  const { held, awaitLock, onServerFailure } = modelRow(world, life)
  let rows: bigint[] = []
  let definition = ''
  let commit = (): void => {}
  const own: LedgerLock = { life, commitLater: null }
  let isOver = false
  const take = (given: readonly IngestRow[]): void => {
    if (refusals(world, 'refused-by-timescaledb', given).length > 0) throw new ValidationError('refused')
    rows = offsetsOf(given)
    definition = definitionOf(given)
  }
  return {
    write: (given) => life.step(() => take(given)),
    writeColumns: (columns) =>
      life.step(() => {
        if (isTaken(columns)) take(rowsIn(columns))
        return isTaken(columns)
      }),
    complete: (claim, slice) =>
      life.step(() => {
        if (isOver) throw new OperationError('the transaction was rolled back')
        awaitLock()
        if (held(claim).inFlight?.token !== slice.token) throw new ValidationError('not in flight')
        world.lock = own
        commit = () => {
          if (world.lock !== own) throw new OperationError('the server has ended the transaction', { retryable: true })
          world.lock = null
          const state = held(claim)
          for (const offset of rows) world.madeBy.timescaledb.set(offset, definition)
          world.commit({ ...state, rows: [...state.rows, ...rows], nextOffset: slice.lastOffset + 1n, inFlight: null })
        }
      }),
    commit: () =>
      life.step(() => commit(), {
        onServerFailure,
        onHeldUp: () => {
          if (life.isAwake) own.commitLater = () => commit()
        },
      }),
    rollback: async () => {
      isOver = true
      if (world.lock === own && own.commitLater === null) world.lock = null
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

/** The pipeline that has PostgreSQL's table; null while nobody has. */
export const holderIn = ({ postgres, claimed }: World): string | null => (postgres === null ? claimed : (postgres.pipeline ?? 'model'))

/** A ledger that has no table of its own knows to whom progress was given, if it is told of the table. */
const progressHolder = ({ given }: World, pipeline: string, into: ClaimedTable | undefined): string => (into?.store === 'ClickHouse' ? (given.get(pipeline) ?? pipeline) : pipeline)

/** PostgreSQL as one process reaches it: the table's writer and the ledger commit together. */
export function modelPostgres(world: World, life: ProcessLife, { hasTable }: { readonly hasTable: boolean } = { hasTable: true }): { timescaledb: TransactionalBatchWriter<IngestRow>; ledger: SliceLedger } {
  const { held, awaitLock, onServerFailure } = modelRow(world, life)
  const refuseOthers = (scope: Pick<SliceScope, 'pipeline' | 'topicId'>, into: ClaimedTable | undefined): void => {
    const holder = hasTable ? holderIn(world) : progressHolder(world, scope.pipeline, into)
    if (holder !== null && holder !== scope.pipeline) throw tableTakenError({ ...scope, topic: 'model', store: hasTable ? 'PostgreSQL' : 'ClickHouse', table: 'model', holder })
  }
  const ledger: SliceLedger = {
    claim: (scope, owner, { startOffset = 0n, aboveEpoch = 0n, isKnown = false, into } = {}) =>
      life.step(
        () => {
          awaitLock()
          refuseOthers(scope, into)
          const holder = holderIn(world) ?? scope.pipeline
          if (isKnown && (world.postgres === null || holder !== scope.pipeline)) throw staleEpochError(scope, aboveEpoch)
          if (holder !== scope.pipeline) throw forked(world, `"${scope.pipeline}" begins anew what "${holder}" has the progress of`)
          const { rows = [], nextOffset = startOffset, inFlight = null, epoch: known = 0n } = world.postgres ?? {}
          const epoch = (known > aboveEpoch ? known : aboveEpoch) + 1n
          world.commit({ rows, nextOffset, inFlight, epoch, owner, pipeline: scope.pipeline })
          return { scope, nextOffset, inFlight, epoch, owner }
        },
        { onServerFailure },
      ),
    record: (claim, slice, { expectedOffset, replaces = [] } = {}) =>
      life.step(
        () => {
          awaitLock()
          const state = held(claim)
          if (state.nextOffset !== expectedOffset) throw staleEpochError(claim.scope, claim.epoch)
          if (slice.firstOffset < state.nextOffset || (state.inFlight !== null && state.inFlight.lastOffset !== slice.lastOffset)) throw new ValidationError('another range')
          if (state.inFlight !== null && ![slice.token, ...replaces].includes(state.inFlight.token)) throw staleEpochError(claim.scope, claim.epoch)
          world.commit({ ...state, inFlight: slice })
        },
        { onServerFailure },
      ),
    complete: (claim, slice) =>
      life.step(
        () => {
          if (hasTable) throw new TypeError('the transaction completes')
          const state = held(claim)
          if (state.inFlight?.token !== slice.token) throw new ValidationError('not in flight')
          world.commit({ ...state, nextOffset: slice.lastOffset + 1n, inFlight: null })
        },
        { onServerFailure },
      ),
    inspect: ({ pipeline }) => life.step(() => (holderIn(world) === pipeline ? world.postgres : null)),
    knownBeside: (scope) => life.step(() => (world.postgres === null ? [] : [{ ...scope, pipeline: holderIn(world) ?? '' }])),
    claimTable: (claim) =>
      life.step(() => {
        refuseOthers(claim, claim)
        if (hasTable && world.postgres === null) world.claimed = claim.pipeline
      }),
  }
  const timescaledb: TransactionalBatchWriter<IngestRow> = {
    begin: async () => beginModelTransaction(world, life),
    findRefused: (rows) => life.step(() => refusals(world, 'refused-by-timescaledb', rows)),
    findRefusedColumns: (columns) => life.step(() => (isTaken(columns) ? refusals(world, 'refused-by-timescaledb', rowsIn(columns)) : null)),
    lastStored: ({ firstOffset }) => life.step(() => lastOf(world.postgres?.rows ?? [], firstOffset)),
  }
  return { ledger, timescaledb }
}

/** It would have an entry of its own, and each would go on without the other. */
function forked(world: World, what: string): OperationError {
  world.forks.push(what)
  return new OperationError(what, { code: 'ERR_TABLE_TAKEN' })
}

function lastOf(rows: readonly bigint[], firstOffset: bigint): bigint | null {
  return rows.reduce<bigint | null>((last, offset) => (offset < firstOffset || (last !== null && last > offset) ? last : offset), null)
}
