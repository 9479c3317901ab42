import { describe, expect, it } from 'vitest'
import type { TurnBatchWriter } from '../batch-writer.ts'
import { OperationError, ValidationError } from '../errors.ts'
import { failuresOf } from './doubles/failures-of.ts'
import { MemoryTable, type NumberedRow, tableSubject } from './doubles/memory-table.ts'
import { batchWriterContract, type BatchWriterSubject } from './index.ts'

type Change = (table: MemoryTable) => Partial<TurnBatchWriter<NumberedRow>>

const subjectOf = (change: Change): BatchWriterSubject<unknown> => tableSubject((table) => Object.assign(table, change(table)))

describe('batchWriterContract on a writer that keeps it', () => {
  it.each(batchWriterContract)('$name', ({ run }) => run(tableSubject()))
})

const original = MemoryTable.prototype

const broken: readonly [string, string, Change][] = [
  ['a row gets lost', 'every row of a batch once', (table) => ({ write: ({ rows, token }) => original.write.call(table, { rows: rows.slice(1), token }) })],
  ['tokens are ignored', 'sent again once', (table) => ({ write: (batch) => original.write.call(table, { ...batch, token: String(Math.random()) }) })],
  ['a repeat is refused', 'sent again once', (table) => ({
    write: async (batch) => {
      if (table.tokens.has(batch.token)) throw new OperationError('seen before')
      return original.write.call(table, batch)
    },
  })],
  ['repeats at once race', 'many times at once', (table) => ({
    write: async (batch) => {
      const known = table.tokens.has(batch.token)
      await new Promise((resolve) => setImmediate(resolve))
      return original.write.call(table, { ...batch, token: known ? batch.token : String(Math.random()) })
    },
  })],
  ['only the last token is known', 'after other batches', (table) => ({
    write: async (batch) => {
      if (!table.tokens.has(batch.token)) table.tokens.clear()
      return original.write.call(table, batch)
    },
  })],
  ['good rows of a bad batch are stored', 'as a whole', (table) => ({
    write: async (batch) => {
      for (const row of batch.rows) if (row.good) table.stored.push(row.index)
      return original.write.call(table, batch)
    },
  })],
  ['the wrong row is blamed', 'as a whole', (table) => ({
    write: (batch) =>
      original.write.call(table, batch).catch(() => {
        throw new ValidationError('bad', { issues: [{ path: [0], message: 'is bad' }] })
      }),
  })],
  ['a bad row is worth a retry', 'as a whole', (table) => ({
    write: (batch) =>
      original.write.call(table, batch).catch(() => {
        throw new OperationError('try again', { retryable: true })
      }),
  })],
  ['a refused token is remembered', 'already aborted', (table) => ({
    write: (batch, options) => {
      const writing = original.write.call(table, batch, options)
      table.tokens.add(batch.token)
      return writing
    },
  })],
  ['aborted signals are ignored', 'already aborted', (table) => ({ write: (batch) => original.write.call(table, batch) })],
  ['findRefused misses a row', 'findRefused', (table) => ({ findRefused: async (rows) => (await original.findRefused.call(table, rows)).slice(0, 1) })],
  ['findRefused knows no bound', 'findRefused', (table) => ({ findRefused: (rows) => original.findRefused.call(table, rows) })],
  ['findRefused stores rows', 'findRefused', (table) => ({
    findRefused: async (rows) => {
      table.stored.push(99)
      return original.findRefused.call(table, rows)
    },
  })],
  ['storedOffsets leaves the last one out', 'storedOffsets', (table) => ({
    storedOffsets: (source) => original.storedOffsets.call(table, { ...source, lastOffset: source.lastOffset - 1n }),
  })],
  ['storedOffsets mixes partitions up', 'storedOffsets', (table) => ({ storedOffsets: (source) => original.storedOffsets.call(table, { ...source, partition: 0 }) })],
  ['turns are ignored', 'under a turn of an older claim', (table) => ({ write: ({ rows, token }) => original.write.call(table, { rows, token }) })],
  ['only epochs count', 'an owner’s own earlier turn', (table) => ({
    write: (batch) => {
      const newest = 'turn' in batch ? [...table.turns.values()].find((turn) => turn.epoch === batch.turn.epoch) : undefined
      return original.write.call(table, newest === undefined ? batch : { ...batch, turn: newest })
    },
  })],
  ['whoever comes last has the turn', 'to the owner of an older claim', (table) => ({
    takeTurn: async (claim) => {
      table.turns.clear()
      return original.takeTurn.call(table, claim)
    },
  })],
  ['owners of one epoch are not told apart', 'a second owner of the same epoch', (table) => ({ takeTurn: (claim) => original.takeTurn.call(table, { ...claim, owner: 'all' }) })],
  ['turns taken at once are equal', 'several turns that were taken at once', (table) => ({
    takeTurn: async (claim) => {
      const turn = await original.takeTurn.call(table, claim)
      const shared = { ...turn, attempt: 0, holder: `${claim.owner}/0` }
      table.turns.set([...table.turns.entries()].find(([, known]) => known === turn)?.[0] ?? '', shared)
      return shared
    },
  })],
  ['partitions share their turns', 'topics and partitions apart', (table) => ({ takeTurn: (claim) => original.takeTurn.call(table, { ...claim, scope: { ...claim.scope, partition: 0 } }) })],
  ['a turn does not wait for what runs', 'behind its back', (table) => ({
    takeTurn: (claim) => {
      table.running.clear()
      return original.takeTurn.call(table, claim)
    },
  })],
  ['the epoch is forgotten', 'newest turn, once', () => ({ latestTurn: async () => null })],
  ['each pipeline has turns of its own', 'for all pipelines', (table) => ({ takeTurn: (claim) => original.takeTurn.call(table, { ...claim, scope: { ...claim.scope, topicId: claim.scope.pipeline } }) })],
  ['a table has as many pipelines as want it', 'for all partitions of a topic', () => ({ claimTable: async () => {} })],
  ['a turn is taken by a pipeline that has not the table', 'for all partitions of a topic', (table) => ({
    takeTurn: (claim) => {
      table.holders.clear()
      return original.takeTurn.call(table, claim)
    },
  })],
  ['two that claim a table at once both have it', 'many pipelines that ask at once', (table) => ({
    claimTable: async (claim) => {
      const known = await original.tableHolder.call(table, claim.topicId)
      await new Promise((resolve) => setImmediate(resolve))
      if (known === null) table.holders.delete(claim.topicId)
      await original.claimTable.call(table, claim)
    },
  })],
  ['a table without claims is anybody’s', 'which nobody has claimed', (table) => ({ tableHolder: async (topicId) => table.holders.get(topicId) ?? null })],
  ['lastStored looks before its range', 'the last offset that is stored', (table) => ({ lastStored: (source) => original.lastStored.call(table, { ...source, firstOffset: 0n }) })],
  ['a turn is taken for an aborted signal', 'takes no turn', (table) => ({ takeTurn: (claim) => original.takeTurn.call(table, claim) })],
]

describe('batchWriterContract on a writer that breaks it', () => {
  it.each(broken)('notices that %s', async (_fault, only, change) => {
    const failed = await failuresOf(batchWriterContract, () => subjectOf(change), only)

    expect(failed).toHaveLength(1)
  })
})
