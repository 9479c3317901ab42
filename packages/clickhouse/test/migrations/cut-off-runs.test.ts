import { describe, expect, it } from 'vitest'
import { ConnectionError, type QueryOptions, type QueryParams } from '../../src/index.ts'
import { migrationWorld } from './migration-world.ts'

const world = migrationWorld()

describe('a run that was cut off', () => {
  const INSERT = { '1_a.up.sql': 'CREATE TABLE a (x Int8) ENGINE = Memory;\nINSERT INTO a SELECT 1;\nINSERT INTO a SELECT 2' }

  it.each([
    ['before a statement that can be sent again', 'before', 'CREATE TABLE IF NOT EXISTS b (x Int8) ENGINE = Memory'],
    ['after a statement that can be sent again', 'after', 'CREATE TABLE IF NOT EXISTS b (x Int8) ENGINE = Memory'],
  ] as const)('%s goes on by itself', async (_where, place, statement) => {
    const folder = await world.folderWith({
      '1_a.up.sql': `CREATE TABLE a (x Int8) ENGINE = Memory; ${statement}; CREATE TABLE c (x Int8) ENGINE = Memory`,
    })
    await world.manage(
      {},
      world.breaking((query) => (query.includes('TABLE IF NOT EXISTS b ') ? place : undefined)),
    ).runMigrations(folder)

    const report = await world.manage().runMigrations(folder)

    expect(report).toMatchObject({ succeeded: [{ version: 1, statements: 2 }], failed: [] })
    expect(await world.tables()).toEqual(['a', 'b', 'c'])
  })

  it.each([
    ['after it took effect', 'after'],
    ['before it took effect', 'before'],
  ] as const)("at a statement that must not be sent twice goes on by what the server's log says: %s", async (_where, place) => {
    const folder = await world.folderWith(INSERT)
    const cut = await world.manage(
      {},
      world.breaking((query) => (query === 'INSERT INTO a SELECT 1' ? place : undefined)),
    ).runMigrations(folder)

    const next = await world.manage({ leaseSeconds: 1 }).runMigrations(folder)

    expect(cut.failed).toMatchObject([{ error: { code: 'ERR_CLICKHOUSE_CONNECTION' }, failedAt: { place: 2, statement: 'INSERT INTO a SELECT 1' } }])
    expect(next).toMatchObject({ succeeded: [{ version: 1, statements: place === 'after' ? 1 : 2 }], failed: [] })
    expect((await world.database.owner.execute('SELECT x FROM a ORDER BY x')).rows).toEqual([{ x: 1 }, { x: 2 }])
  })

  it('waits for a statement that the server still works at', async () => {
    const folder = await world.folderWith({ '1_a.up.sql': 'CREATE TABLE a (x Int8) ENGINE = Memory;\nINSERT INTO a SELECT 1 + sleepEachRow(0.05) FROM numbers(20) SETTINGS max_block_size = 1;\nINSERT INTO a SELECT 2' })
    const deaf = world.breaking(() => undefined)
    const executing = deaf.execute.bind(deaf)
    let sending: Promise<unknown> = Promise.resolve()
    const cut = new Proxy(deaf, {
      get: (target, name) => {
        if (name !== 'execute') return Reflect.get(target, name) as unknown
        return async (query: string, params?: QueryParams, options?: QueryOptions) => {
          if (!query.includes('sleepEachRow')) return executing(query, params, options)
          sending = executing(query, params, options)
          while (!(await world.runningQueries()).includes(options?.queryId ?? '')) await new Promise((resolve) => setTimeout(resolve, 10))
          throw new ConnectionError('the connection broke')
        }
      },
    })
    await world.manage({}, cut).runMigrations(folder)

    const next = await world.manage({ leaseSeconds: 1 }).runMigrations(folder)

    expect(next).toMatchObject({ succeeded: [{ version: 1, statements: 1 }], failed: [] })
    expect((await world.database.owner.execute('SELECT x, count() AS n FROM a GROUP BY x ORDER BY x')).rows).toEqual([
      { x: 1, n: 20n },
      { x: 2, n: 1n },
    ])
    await sending
  })

  it.each([
    ['after it took effect', 'after', 'took-effect'],
    ['before it took effect', 'before', 'took-no-effect'],
  ] as const)('at a statement that must not be sent twice asks whether it took effect, where there is no log: %s', async (_where, place, outcome) => {
    const folder = await world.folderWith(INSERT)
    const withoutLog = new Proxy(world.database.owner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (name !== 'execute') return value.bind(target)
        return (query: string, params?: QueryParams, options?: QueryOptions) => target.execute(query.replace('system.query_log', 'system.no_such_log'), params, options)
      },
    })
    const cut = await world.manage(
      {},
      world.breaking((query) => (query === 'INSERT INTO a SELECT 1' ? place : undefined)),
    ).runMigrations(folder)
    const uncertain = await world.manage({}, withoutLog).runMigrations(folder)
    const status = await world.manage().getStatus(folder)

    await world.manage().settleMigration(1, outcome)
    const settled = await world.manage().runMigrations(folder)

    expect(cut.failed).toMatchObject([{ error: { code: 'ERR_CLICKHOUSE_CONNECTION' } }])
    expect(uncertain.failed).toMatchObject([
      { error: { code: 'ERR_CLICKHOUSE_MIGRATION_UNCERTAIN', message: expect.stringContaining('INSERT INTO a SELECT 1') as string } },
    ])
    expect(status).toMatchObject([{ state: 'half-done', statementsDone: 1, uncertain: true }])
    expect(settled.failed).toEqual([])
    expect((await world.database.owner.execute('SELECT x FROM a ORDER BY x')).rows).toEqual([{ x: 1 }, { x: 2 }])
  })

  it.each(['begun', 'done', 'finished', 'started'])(
    'while it wrote down that a statement was %s loses nothing and repeats nothing',
    async (event) => {
      const folder = await world.folderWith({
        '1_a.up.sql': 'CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = Memory; CREATE TABLE IF NOT EXISTS b (x Int8) ENGINE = Memory',
      })
      for (const place of ['before', 'after'] as const) {
        let broken = false
        const execute = async (query: string, params?: QueryParams, options?: QueryOptions) => {
          const hit = !broken && params?.event === event
          broken ||= hit
          if (hit && place === 'before') throw new ConnectionError('the connection broke')
          const result = await world.database.owner.execute(query, params, options)
          if (hit) throw new ConnectionError('the connection broke')
          return result
        }
        await world.manage(
          {},
          new Proxy(world.database.owner, { get: (target, name) => (name === 'execute' ? execute : Reflect.get(target, name)) as unknown }),
        ).runMigrations(folder)
      }

      const report = await world.manage().runMigrations(folder)

      expect(report.failed).toEqual([])
      expect(await world.manage().getStatus(folder)).toMatchObject([{ state: 'applied' }])
      expect(await world.tables()).toEqual(['a', 'b'])
    },
  )

  it('can not be settled where nothing is uncertain', async () => {
    await expect(world.manage().settleMigration(7, 'took-effect')).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_MIGRATION_ORDER',
      issues: [{ path: ['version'] }],
    })
  })
})
