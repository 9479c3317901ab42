import type { Batch, LatestTurn, SliceSource, TurnBatch, TurnBatchWriter, WriteTurn } from '../../batch-writer.ts'
import { abortedError, ValidationError } from '../../errors.ts'
import { type SliceClaim, type SliceScope, staleEpochError, type TableClaim, tableTakenError } from '../../slice-ledger.ts'
import type { BatchWriterFixture, BatchWriterSubject } from '../batch-writer-contract.ts'

/** A row that is known by its number. */
export interface NumberedRow {
  readonly index: number
  readonly good: boolean
}

type Signalled = { signal?: AbortSignal | undefined }

/** A table in memory with a writer that keeps the whole contract, to try the suite on. */
export class MemoryTable implements TurnBatchWriter<NumberedRow> {
  readonly stored: number[] = []
  readonly tokens = new Set<string>()
  /** Scope as text to its newest turn. */
  readonly turns = new Map<string, WriteTurn>()
  readonly running = new Map<string, Promise<unknown>>()
  /** Topic id to the pipeline that has the table. */
  readonly holders = new Map<string, string>()

  async write(batch: Batch<NumberedRow> | TurnBatch<NumberedRow>, { signal }: Signalled = {}): Promise<{ rows: number }> {
    const { rows, token } = batch
    if (signal?.aborted) throw abortedError('the write', signal)
    const bad = rows.findIndex((row) => !row.good)
    if (bad >= 0) throw new ValidationError('a row is refused', { issues: [{ path: [bad], message: 'is bad' }] })
    if ('turn' in batch) this.checkTurn(batch.turn)
    const storing = this.#store(rows, token)
    if ('turn' in batch) this.running.set(keyOf(batch.turn.scope), storing)
    await storing
    return { rows: rows.length }
  }

  async findRefused(rows: readonly NumberedRow[], { atMost = Infinity }: { atMost?: number | undefined } = {}): Promise<{ index: number; reason: string }[]> {
    return rows.flatMap((row, index) => (row.good ? [] : [{ index, reason: 'is bad' }])).slice(0, atMost)
  }

  async storedOffsets({ topic, partition, firstOffset, lastOffset }: SliceSource): Promise<bigint[]> {
    if (topic !== 'events' || partition !== 0) return []
    const offsets = this.stored.map(BigInt).filter((offset) => offset >= firstOffset && offset <= lastOffset)
    return offsets.sort((one, other) => Number(one - other))
  }

  async lastStored(source: Omit<SliceSource, 'lastOffset'>): Promise<bigint | null> {
    return (await this.storedOffsets({ ...source, lastOffset: 2n ** 62n })).at(-1) ?? null
  }

  async claimTable(claim: Omit<TableClaim, 'table'>, { signal }: Signalled = {}): Promise<void> {
    if (signal?.aborted) throw abortedError('the claim', signal)
    const holder = this.#holderOf(claim.topicId) ?? claim.pipeline
    if (holder !== claim.pipeline) throw tableTakenError({ ...claim, store: 'ClickHouse', table: 'numbers', holder })
    this.holders.set(claim.topicId, holder)
  }

  async tableHolder(topicId: string): Promise<string | null> {
    return this.#holderOf(topicId)
  }

  /** Without a claim, the one that took the last turn. */
  #holderOf(topicId: string): string | null {
    const taken = [...this.turns.values()].filter(({ scope }) => scope.topicId === topicId)
    return this.holders.get(topicId) ?? taken.at(-1)?.scope.pipeline ?? null
  }

  async latestTurn(scope: SliceScope): Promise<LatestTurn | null> {
    const turn = this.turns.get(keyOf(scope))
    return turn === undefined ? null : { epoch: turn.epoch, pipeline: turn.scope.pipeline }
  }

  async takeTurn(claim: SliceClaim, { signal }: Signalled = {}): Promise<WriteTurn> {
    if (signal?.aborted) throw abortedError('the turn', signal)
    if (this.holders.has(claim.scope.topicId)) await this.claimTable({ ...claim.scope, topic: claim.scope.topicId })
    const key = keyOf(claim.scope)
    const latest = this.turns.get(key)
    if (latest !== undefined && (latest.epoch > claim.epoch || (latest.epoch === claim.epoch && !latest.holder.startsWith(`${claim.owner}/`)))) throw staleEpochError(claim.scope, claim.epoch)
    const attempt = latest?.epoch === claim.epoch ? latest.attempt + 1 : 0
    const turn = { scope: claim.scope, epoch: claim.epoch, attempt, holder: `${claim.owner}/${attempt}` }
    this.turns.set(key, turn)
    await this.running.get(key)
    return turn
  }

  checkTurn(turn: WriteTurn): void {
    if (this.turns.get(keyOf(turn.scope))?.holder !== turn.holder) throw staleEpochError(turn.scope, turn.epoch)
  }

  /** Takes a moment, the longer the more rows there are, so that others come in between. */
  async #store(rows: readonly NumberedRow[], token: string): Promise<void> {
    if (this.tokens.has(token)) return
    this.tokens.add(token)
    await new Promise((resolve) => setTimeout(resolve, rows.length / 1000))
    for (const row of rows) this.stored.push(row.index)
  }
}

const keyOf = ({ topicId, partition }: SliceScope): string => JSON.stringify([topicId, partition])

/** The subject that the suite runs on; `wrap` may give a writer that breaks a promise. */
export function tableSubject(wrap: (table: MemoryTable) => TurnBatchWriter<NumberedRow> = (table) => table): BatchWriterSubject<unknown> {
  const create = async (): Promise<BatchWriterFixture<NumberedRow>> => {
    const table = new MemoryTable()
    const writer = wrap(table)
    return {
      writer,
      makeRow: (index) => ({ index, good: true }),
      makeRefusedRow: (index) => ({ index, good: false }),
      storedIndexes: async () => table.stored,
      recovery: { writer, topic: 'events', partition: 0 },
      turns: { writer, another: () => writer, topic: 'events', partition: 0 },
      dispose: async () => {},
    }
  }
  return { create }
}
