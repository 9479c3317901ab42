import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Logger } from '@smart-whale/interfaces'
import { beforeEach, expect, it } from 'vitest'
import { until } from '../embedded/embedded-folder.ts'
import { describeStorage } from './each-storage.ts'

/** A logger that remembers its warnings. */
function listeningLogger(): { logger: Logger; warnings: string[] } {
  const warnings: string[] = []
  const silent = (): void => {}
  const warn = (_fields: object | string, message?: string): void => void warnings.push(message ?? '')
  const logger: Logger = { trace: silent, debug: silent, info: silent, warn, error: silent, fatal: silent, child: () => logger }
  return { logger, warnings }
}

describeStorage('transactions', (subject) => {
  beforeEach(() => subject.storage.runScript('drop table if exists ledger; create table ledger (n int primary key)'))
  const stored = (): Promise<unknown[]> => subject.storage.execute('select n from ledger order by n')

  it('a handle that is left is rolled back and reported', async () => {
    const { logger, warnings } = listeningLogger()
    const storage = subject.another({ maxConnections: 1 }, { logger })
    {
      await using transaction = await storage.beginTransaction()
      await transaction.execute('insert into ledger values (1)')
    }

    expect(await storage.execute('select n from ledger')).toEqual([])
    expect(warnings).toEqual([expect.stringContaining('rolled back')])
  })

  it('a handle that is lost to the garbage collector is rolled back and reported', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const { logger, warnings } = listeningLogger()
    const storage = subject.another({ maxConnections: 1 }, { logger })
    await (async () => {
      const transaction = await storage.beginTransaction()
      await transaction.execute('insert into ledger values (1)')
    })()

    await until('it is reported', () => {
      collectGarbage()
      return warnings.length > 0
    })

    expect(await storage.execute('select n from ledger')).toEqual([])
  })

  it('statements asked for at once run in order', async () => {
    await subject.storage.withTransaction(async (transaction) => {
      await Promise.all([1, 2, 3].map((n) => transaction.execute('insert into ledger values ($1)', [n])))
    })

    expect(await stored()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  })

  it('a deadline bounds the whole, also while the work does something else', async () => {
    const slow = subject.storage.withTransaction(
      async (transaction) => {
        await transaction.execute('insert into ledger values (1)')
        await new Promise((resolve) => setTimeout(resolve, 5_000).unref())
      },
      { timeoutMs: 100 },
    )

    await expect(slow).rejects.toMatchObject({ retryable: true, status: 504 })
    expect(await stored()).toEqual([])
  })

  it('a signal ends the statement that runs and rolls back', async () => {
    const work = subject.storage.withTransaction(
      async (transaction) => {
        await transaction.execute('insert into ledger values (1)')
        await transaction.execute('select pg_sleep(20)')
      },
      { signal: AbortSignal.timeout(100) },
    )

    await expect(work).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await stored()).toEqual([])
  })

  it('a statement past its own limit leaves a transaction that can only be rolled back', async () => {
    const transaction = await subject.storage.beginTransaction()
    await expect(transaction.execute('select pg_sleep(20)', [], { timeoutMs: 100 })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT' })

    await expect(transaction.execute('select 1')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TRANSACTION_FAILED' })
    await transaction.rollback()
  })

  it('streams what it sees itself', async () => {
    await subject.storage.withTransaction(async (transaction) => {
      await transaction.execute('insert into ledger select generate_series(1, 1200)')
      let sum = 0
      for await (const row of transaction.stream<{ n: number }>('select n from ledger')) sum += row.n
      expect(sum).toBe(720_600)
    })
  })

  it('a lost connection fails the commit and gives the place in the pool back', async () => {
    const storage = subject.another({ maxConnections: 1 })
    const transaction = await storage.beginTransaction()
    const [own] = await transaction.execute<{ pid: number }>('select pg_backend_pid() as pid')
    await subject.storage.execute('select pg_terminate_backend($1)', [own?.pid])

    await expect(transaction.commit()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CONNECTION_LOST' })
    expect(await storage.execute('select 1 as n')).toEqual([{ n: 1 }])
  })

  it('conflicts between serializable transactions are told as worth a retry', async () => {
    await subject.storage.execute('insert into ledger values (1), (2)')
    const [one, two] = [await subject.storage.beginTransaction(), await subject.storage.beginTransaction()]
    for (const transaction of [one, two]) await transaction.execute('set transaction isolation level serializable')
    for (const transaction of [one, two]) await transaction.execute('select sum(n) from ledger')
    await one.execute('insert into ledger values (10)')
    await two.execute('insert into ledger values (11)')
    await one.commit()

    await expect(two.commit()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CONFLICT', retryable: true })
  })
})
