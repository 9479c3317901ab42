import assert from 'node:assert/strict'
import type { Transaction } from '../storage.ts'
import { assertRejected, rejectionOf } from './assert-error.ts'
import { contractCase, type ContractCase, type ContractSuite, within } from './contract-case.ts'
import { insertNote, notesOf, type StorageSubject, withNotes } from './storage-subject.ts'
import type { StorageInterface } from '../storage.ts'

/** A case that only says something about a store with transactions. */
function transactionCase(name: string, run: (storage: StorageInterface, table: string) => Promise<void>): ContractCase<StorageSubject> {
  return contractCase(name, async (subject) => {
    if (subject.can.transactions) await withNotes(subject, run)
  })
}

async function assertEnded(transaction: Transaction, table: string): Promise<void> {
  const insert = `INSERT INTO ${table} (id, note) VALUES ($1, $2)`
  await assertRejected(transaction.execute(insert, [9n, 'late']), 'OperationError', 'execute after the end')
  await assertRejected(transaction.executeMany(insert, [[9n, 'late']]), 'OperationError', 'executeMany after the end')
  await assertRejected(transaction.commit(), 'OperationError', 'commit after the end')
  await assertRejected(transaction.rollback(), 'OperationError', 'rollback after the end')
  await transaction[Symbol.asyncDispose]()
}

/** Work that is committed or rolled back as one. */
export const storageTransactionCases: ContractSuite<StorageSubject> = [
  contractCase('says that it can’t where there are no transactions', async (subject) => {
    if (subject.can.transactions) return
    await withNotes(subject, async (storage) => {
      let began = false
      const work = async (): Promise<void> => {
        began = true
      }
      await assertRejected(storage.beginTransaction(), 'OperationError', 'beginTransaction where there are none')
      await assertRejected(storage.withTransaction(work), 'OperationError', 'withTransaction where there are none')
      assert.equal(began, false, 'the work of a refused transaction must not run')
    })
  }),

  transactionCase('commits its work as one; nobody sees it before', async (storage, table) => {
    const transaction = await storage.beginTransaction()
    await insertNote(transaction, table, 1n, 'first')
    assert.equal(await transaction.executeMany(`INSERT INTO ${table} (id, note) VALUES ($1, $2)`, [[2n, 'second']]), 1)

    assert.deepEqual(await notesOf(transaction, table), ['first', 'second'])
    assert.deepEqual(await notesOf(storage, table), [])
    await transaction.commit()

    assert.deepEqual(await notesOf(storage, table), ['first', 'second'])
  }),

  transactionCase('rolls back all of its work', async (storage, table) => {
    const transaction = await storage.beginTransaction()
    await insertNote(transaction, table, 1n, 'first')
    await transaction.rollback()

    assert.deepEqual(await notesOf(storage, table), [])
  }),

  transactionCase('refuses everything after commit and after rollback', async (storage, table) => {
    const committed = await storage.beginTransaction()
    await committed.commit()
    await assertEnded(committed, table)

    const rolledBack = await storage.beginTransaction()
    await rolledBack.rollback()
    await assertEnded(rolledBack, table)

    assert.deepEqual(await notesOf(storage, table), [])
  }),

  transactionCase('does not leak to other callers', async (storage, table) => {
    const mine = await storage.beginTransaction()
    assert.deepEqual(await notesOf(mine, table), [])

    await insertNote(storage, table, 1n, 'of another caller')
    await mine.rollback()

    assert.deepEqual(await notesOf(storage, table), ['of another caller'])
  }),

  transactionCase('keeps two open transactions apart', async (storage, table) => {
    const writing = await storage.beginTransaction()
    await insertNote(writing, table, 1n, 'mine')
    const reading = await storage.beginTransaction()

    assert.deepEqual(await notesOf(reading, table), [])
    await reading.rollback()
    await writing.commit()

    assert.deepEqual(await notesOf(storage, table), ['mine'])
  }),

  transactionCase('rolls a dropped handle back and returns what it held', async (storage, table) => {
    for (let round = 0; round < 40; round++) {
      await using transaction = await within(30_000, 'beginTransaction after dropped handles', storage.beginTransaction())
      await insertNote(transaction, table, BigInt(round), 'never committed')
    }
    assert.deepEqual(await notesOf(storage, table), [])
  }),

  transactionCase('withTransaction commits and passes the result on', async (storage, table) => {
    const result = await storage.withTransaction(async (transaction) => {
      await insertNote(transaction, table, 1n, 'kept')
      return 'result'
    })

    assert.equal(result, 'result')
    assert.deepEqual(await notesOf(storage, table), ['kept'])
  }),

  transactionCase('withTransaction rolls back and passes the very error on', async (storage, table) => {
    const failure = new RangeError('the work failed')
    const running = storage.withTransaction(async (transaction) => {
      await insertNote(transaction, table, 1n, 'dropped')
      throw failure
    })

    assert.equal(await rejectionOf(running, 'work that throws'), failure)
    assert.deepEqual(await notesOf(storage, table), [])
  }),

  transactionCase('withTransaction’s handle is of no use afterwards', async (storage, table) => {
    let escaped: Transaction | undefined
    await storage.withTransaction(async (transaction) => {
      escaped = transaction
    })
    await assertEnded(escaped as Transaction, table)
  }),

  transactionCase('never reports a commit that was none', async (storage, table) => {
    const transaction = await storage.beginTransaction()
    await insertNote(transaction, table, 1n, 'first')
    await assertRejected(transaction.execute('SELEC 1'), 'InfrastructureError', 'a syntax error within a transaction')

    const committed = await transaction.commit().then(
      () => true,
      () => false,
    )

    assert.deepEqual(await notesOf(storage, table), committed ? ['first'] : [])
  }),
]
