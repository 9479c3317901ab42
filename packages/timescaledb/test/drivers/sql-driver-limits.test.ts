import { createServer, type Server, type Socket } from 'node:net'
import type { SqlConnection } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FreshDatabase } from '../../../../tools/engines/fresh-database.ts'
import { describeEditions } from '../each-engine.ts'
import { until } from '../embedded/embedded-folder.ts'
import { drivers, optionsFor, withConnection } from './each-driver.ts'

describeEditions((engine) => {
  describe.each(drivers.map((create) => create()).map((driver) => ({ name: driver.name, driver })))('SqlDriver $name', ({ driver }) => {
    let database: FreshDatabase
    let watcher: SqlConnection
    beforeAll(async () => {
      database = await engine.freshDatabase()
      watcher = await driver.connect(optionsFor(database.url))
    })
    afterAll(async () => {
      await watcher.close()
      await database.drop()
    })

    const running = async (marker: string): Promise<bigint> => {
      const { rows } = await watcher.query(`select count(*) as n from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid() and query like $1`, [`%${marker}%`])
      return rows[0]?.['n'] as bigint
    }
    const use = <T>(work: (connection: SqlConnection) => Promise<T>, change = {}): Promise<T> => withConnection(driver, optionsFor(database.url, change), work)

    describe('deadlines', () => {
      it('stops a statement on the server at its deadline, and the connection goes on', async () => {
        await use(async (connection) => {
          await expect(connection.query('select pg_sleep(20) /* late */', [], { timeoutMs: 100 })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT', retryable: true })

          await until('the server stopped', async () => (await running('late')) === 0n)
          expect((await connection.query('select 1 as n')).rows).toEqual([{ n: 1 }])
        })
      })

      it('lets the server keep the limit of the session', async () => {
        await use(
          async (connection) => {
            await expect(connection.query('select pg_sleep(20)')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT', context: { sqlState: '57014' } })
          },
          { statementTimeoutMs: 200 },
        )
      })

      it('lets a single statement take longer than the session allows', async () => {
        await use(
          async (connection) => {
            await connection.query('select pg_sleep(0.6)', [], { timeoutMs: 60_000 })
          },
          { statementTimeoutMs: 200 },
        )
      })

      it('keeps the longer limit right through a rollback', async () => {
        await use(
          async (connection) => {
            await connection.begin()
            await connection.query('select 1', [], { timeoutMs: 60_000 })
            await connection.rollback()
            await connection.query('select pg_sleep(0.6)', [], { timeoutMs: 60_000 })
          },
          { statementTimeoutMs: 200 },
        )
      })

      it('holds for many statements and for copies', async () => {
        await use(async (connection) => {
          await connection.query('create temp table slow (n int)')
          await expect(connection.executeMany('insert into slow select $1::int from pg_sleep(0.1)', Array.from({ length: 100 }, () => [1]), { timeoutMs: 200 })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT' })
        })
        await use(async (connection) => {
          await connection.query('create temp table slow (n int)')
          const silent: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }
          await expect(connection.copyIn('copy slow from stdin', silent, { timeoutMs: 200 })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT' })
        })
        await until('nothing runs', async () => (await running('slow')) === 0n)
      })
    })

    describe('signals', () => {
      it('stops a statement on the server when its caller aborts, and the connection goes on', async () => {
        await use(async (connection) => {
          const abort = new AbortController()
          const slow = connection.query('select pg_sleep(20) /* given up */', [], { signal: abort.signal })
          const refused = expect(slow).rejects.toMatchObject({ code: 'ERR_ABORTED' })
          await until('it runs', async () => (await running('given up')) === 1n)
          abort.abort()
          await refused

          await until('the server stopped', async () => (await running('given up')) === 0n)
          expect((await connection.query('select 1 as n')).rows).toEqual([{ n: 1 }])
        })
      })

      it('sends nothing for a signal that has aborted already', async () => {
        await use(async (connection) => {
          await connection.query('create temp table untouched (n int)')
          await expect(connection.query('insert into untouched values (1)', [], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' })

          expect((await connection.query('select * from untouched')).rows).toEqual([])
        })
      })
    })

    it('never lets a cancel that comes too late hit another statement', async () => {
      await use(async (connection) => {
        let late = 0
        for (let round = 0; round < 150; round++) {
          await connection.query('select pg_sleep(0.004)', [], { timeoutMs: 3 + (round % 4) }).catch(() => (late += 1))
          if (connection.failure) throw connection.failure
          await connection.query('select pg_sleep(0.001)')
        }

        expect(late).toBeGreaterThan(0)
      })
    })

    describe('stream', () => {
      it('reads in batches, without holding more', async () => {
        await use(async (connection) => {
          const sizes: number[] = []
          for await (const rows of connection.stream('select generate_series(1, $1::int) as n', [2_500], { batchRows: 1_000 })) sizes.push(rows.length)

          expect(sizes).toEqual([1_000, 1_000, 500])
        })
      })

      it('ends the query when the loop is left, and the connection goes on', async () => {
        await use(async (connection) => {
          for await (const rows of connection.stream('select generate_series(1, 1000000000) as n /* left */')) {
            expect(rows).toHaveLength(500)
            break
          }

          await until('the server stopped', async () => (await running('left')) === 0n)
          expect((await connection.query('select 1 as n')).rows).toEqual([{ n: 1 }])
        })
      })

      it('may be read slowly: the pauses of the reader do not count', async () => {
        await use(
          async (connection) => {
            let batches = 0
            for await (const _rows of connection.stream('select generate_series(1, 1500) as n')) {
              batches += 1
              await new Promise((resolve) => setTimeout(resolve, 300))
            }

            expect(batches).toBe(3)
            await expect(connection.query('select pg_sleep(5)')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT' })
          },
          { statementTimeoutMs: 200 },
        )
      })

      it('ends at its deadline, when its signal aborts, and when the statement fails', async () => {
        await use(async (connection) => {
          const read = async (sql: string, options = {}): Promise<void> => {
            for await (const _rows of connection.stream(sql, [], options)) await new Promise((resolve) => setTimeout(resolve, 5))
          }
          await expect(read('select generate_series(1, 1000000000)', { timeoutMs: 200 })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT' })
          await expect(read('select generate_series(1, 1000000000)', { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
          await expect(read('select 1 / (3 - n) from generate_series(1, 10) n', { batchRows: 1 })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_DATA' })
          await expect(read('select nothing')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNDEFINED' })

          expect((await connection.query('select 1 as n')).rows).toEqual([{ n: 1 }])
        })
      })

      it('works within a transaction', async () => {
        await use(async (connection) => {
          await connection.begin()
          await connection.query('create temp table seen as select generate_series(1, 1200) as n')
          let count = 0
          for await (const rows of connection.stream('select n from seen')) count += rows.length
          await connection.commit()

          expect(count).toBe(1_200)
        })
      })
    })

    describe('lost sessions', () => {
      it('fails the running statement and says that the session is of no more use', async () => {
        const connection = await driver.connect(optionsFor(database.url))
        const slow = connection.query('select pg_sleep(20)')
        const refused = expect(slow).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CONNECTION_LOST', retryable: true })
        await watcher.query('select pg_terminate_backend($1)', [connection.processId])
        await refused

        expect(connection.failure).toBeDefined()
        await expect(connection.query('select 1')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CONNECTION_LOST' })
        await connection.close()
      })

      it('notices that an idle session was ended', async () => {
        const connection = await driver.connect(optionsFor(database.url))
        await watcher.query('select pg_terminate_backend($1)', [connection.processId])

        await until('it notices', () => connection.failure !== undefined)

        await connection.close()
      })

      it('fails many pipelined statements when the session is lost in their middle', async () => {
        const connection = await driver.connect(optionsFor(database.url))
        await connection.query('create temp table slow (n int)')
        const many = connection.executeMany('insert into slow select $1::int from pg_sleep(0.05)', Array.from({ length: 2_000 }, () => [1]))
        const refused = expect(many).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CONNECTION_LOST' })
        await until('it runs', async () => (await running('insert into slow')) === 1n)
        await watcher.query('select pg_terminate_backend($1)', [connection.processId])

        await refused
        await connection.close()
      })

      it('leaves a server that says nothing after the deadline', async () => {
        const sockets: Socket[] = []
        const silent: Server = createServer((socket) => sockets.push(socket))
        const port = await new Promise<number>((resolve) => silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port)))

        await expect(driver.connect(optionsFor(database.url, { port, connectTimeoutMs: 200 }))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT' })
        const begun = performance.now()
        await expect(driver.connect(optionsFor(database.url, { port, signal: AbortSignal.timeout(100) }))).rejects.toMatchObject({ code: 'ERR_ABORTED' })

        // Not as long as it may take to connect.
        expect(performance.now() - begun).toBeLessThan(30_000)

        for (const socket of sockets) socket.destroy()
        await new Promise((resolve) => silent.close(resolve))
      })
    })

    describe('connecting', () => {
      it.each([
        ['nobody listens', { port: 1 }, 'ERR_TIMESCALEDB_CONNECTION', true],
        ['the host is unknown', { host: 'nowhere.invalid' }, 'ERR_TIMESCALEDB_CONNECTION', true],
        ['the password is wrong', { password: 'wrong' }, 'ERR_TIMESCALEDB_AUTHENTICATION', false],
        ['there is no password', { password: undefined }, 'ERR_TIMESCALEDB_AUTHENTICATION', false],
        ['the database does not exist', { database: 'nowhere' }, 'ERR_TIMESCALEDB_UNDEFINED', false],
        ['the server speaks no TLS', { tls: {} }, 'ERR_TIMESCALEDB_CONNECTION', expect.any(Boolean)],
      ])('fails clearly when %s', async (_when, change, code, retryable) => {
        // A server that the environment names may trust everybody; those of the run itself don't.
        if (code === 'ERR_TIMESCALEDB_AUTHENTICATION' && new URL(database.url).password === '') return
        const failure = (await driver.connect(optionsFor(database.url, change)).then(
          (connection) => connection.close(),
          (error: unknown) => error,
        )) as Error

        expect(failure).toMatchObject({ code, retryable })
        expect(failure.message).not.toContain('wrong')
      })

      it('sets the session as asked', async () => {
        await use(
          async (connection) => {
            const { rows } = await connection.query(`select current_setting('application_name') as name, current_setting('TimeZone') as zone`)

            expect(rows).toEqual([{ name: 'whale', zone: 'UTC' }])
          },
          { settings: { application_name: 'whale', TimeZone: 'Asia/Tokyo' } },
        )
      })
    })

    describe('transactions', () => {
      it('never takes a rollback for a commit', async () => {
        await use(async (connection) => {
          await connection.begin()
          await connection.query('select 1/0').catch(() => {})
          expect(connection.inTransaction).toBe(true)

          await expect(connection.commit()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TRANSACTION_FAILED' })
          expect(connection.inTransaction).toBe(false)
        })
      })

      it('refuses writes in a read-only one', async () => {
        await use(async (connection) => {
          await connection.begin({ how: 'read only' })
          await expect(connection.query('create table never (n int)')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_READ_ONLY' })
          await connection.rollback()
        })
      })
    })
  })
})
