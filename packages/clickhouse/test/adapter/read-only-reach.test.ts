import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type ClickHouseAdapter, ClickHouseBaseError, createAdapter } from '../../src/index.ts'
import { TABLE_FUNCTIONS } from '../../src/parameters/server-functions.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'
import { ABUSE } from './abuse-queries.ts'

const CANARY = 'canary-3fd91c07'
// The run's reader may see the databases of tests; this one is none.
const OTHER = `foreign_${process.pid}`

let database: OwnDatabase
let root: ClickHouseAdapter
let folder: string

beforeAll(async () => {
  database = await ownDatabase()
  const { url, owner } = inject('clickhouse')
  root = createAdapter({ url, user: owner.username, password: owner.password, database: 'default' })
  folder = await mkdtemp(join(tmpdir(), 'reach-'))
  await writeFile(join(folder, 'secret.txt'), CANARY)
  await root.execute(`CREATE DATABASE ${OTHER}`)
  await root.execute(`CREATE TABLE ${OTHER}.secrets (canary String) ENGINE = MergeTree ORDER BY canary`)
  await root.execute(`INSERT INTO ${OTHER}.secrets SELECT '${CANARY}'`)
  await database.owner.execute('CREATE TABLE flights (id UInt64, origin String, delay Int32) ENGINE = MergeTree ORDER BY id')
  await database.owner.execute("INSERT INTO flights SELECT number, ['ABQ', 'SFO'][number % 2 + 1], number FROM numbers(10)")
})

afterAll(async () => {
  await root.execute(`DROP DATABASE IF EXISTS ${OTHER} SYNC`)
  await Promise.all([root.close(), database.drop(), rm(folder, { recursive: true, force: true })])
})

/** All that an answer tells: its rows, or its error with every cause. */
async function told(query: string): Promise<{ error?: unknown; rows: unknown[]; text: string }> {
  const placed = query.replaceAll('CANARY', join(folder, 'secret.txt')).replaceAll('OTHER', OTHER)
  try {
    const { rows } = await database.reader.execute(placed, {}, { retry: false })
    return { rows, text: JSON.stringify(rows, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) }
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    return { error, rows: [], text: `${String(error)} ${JSON.stringify(error)} ${String(cause)}` }
  }
}

describe.each(Object.entries(ABUSE))('a read-only user reaching for %s', (_category, queries) => {
  it.each(queries)('gets nothing by %s', async (query) => {
    const { error, rows, text } = await told(query)
    expect(text).not.toContain(CANARY)
    expect(rows).toEqual([])
    if (error !== undefined) expect(ClickHouseBaseError.isInstance(error), text).toBe(true)
  })
})

describe('a read-only user', () => {
  it.each([
    'SELECT origin, avg(delay) AS mean FROM flights GROUP BY origin HAVING mean > 0 ORDER BY origin',
    'WITH late AS (SELECT * FROM flights WHERE delay > 2) SELECT f.id FROM flights AS f JOIN late AS l ON f.id = l.id',
    'SELECT id, sum(delay) OVER (PARTITION BY origin ORDER BY id) AS running FROM flights',
    "SELECT format('{}: {}', origin, toString(delay)) AS text FROM flights WHERE format('{}', origin) = 'ABQ'",
    "SELECT arrayReduce('sum', [1, 2]) AS a, arrayReduce('quantile(0.5)', [1, 2]) AS b, arrayMap(x -> x + 1, [1]) AS c, arrayFold((a, x) -> a + x, [1], 0::Int64) AS d",
    'SELECT n.number, v.a FROM numbers(3) AS n CROSS JOIN view(SELECT 1 AS a) AS v',
    'SELECT * FROM generateSeries(1, 3)',
    "SELECT id FROM merge(currentDatabase(), '^flights$')",
    "SELECT version() AS v, currentDatabase() AS d, currentUser() AS u, extract(origin, 'A') AS e FROM flights LIMIT 1",
    'SELECT hostname FROM (SELECT origin AS hostname FROM flights)',
  ])('is answered to %s', async (query) => {
    expect((await database.reader.execute(query)).rows).not.toEqual([])
  })

  it.each([
    ["SELECT * FROM values({structure:String}, 'x')", 'values'],
    ['SELECT * FROM generateRandom({structure:String}) LIMIT 1', 'generateRandom'],
  ])('hands over no structure as a value: %s', async (query) => {
    const structure = `a String, b String ALIAS file('${join(folder, 'secret.txt')}')`
    const error: unknown = await database.reader.execute(query, { structure }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED', status: 403 })
    await expect(database.reader.stream(query, { structure })[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
  })
})

describe('a query that the server would not outlive', () => {
  it('is refused to a read-only user, and the next one is answered', async () => {
    const query = (list: string) => `SELECT number AS n, number AS v FROM numbers(9) WHERE n % 4 = 1 ORDER BY n WITH FILL FROM 0 TO 6 INTERPOLATE (${list})`

    await expect(database.reader.execute(query('v, v'))).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED', message: expect.stringContaining('interpolates "v" twice') as string })

    expect((await database.reader.execute(query('v'))).rows).toHaveLength(6)
  })
})

describe('TABLE_FUNCTIONS', () => {
  it('are those of the running server', async () => {
    const { rows } = await root.execute('SELECT DISTINCT lower(name) AS name FROM system.table_functions ORDER BY name')
    expect(rows.map(({ name }) => name)).toEqual([...TABLE_FUNCTIONS].sort())
  })
})
