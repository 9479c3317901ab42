import type { Row } from '@smart-whale/interfaces'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { createAdapter, createTable } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'
import { type FlakyProxy, flakyProxy } from './flaky-proxy.ts'

let database: OwnDatabase
let made = 0
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

/** A new table of these columns. */
async function table(columns: string, more = ''): Promise<string> {
  const name = `t_${made++}`
  await database.owner.execute(`CREATE TABLE ${name} (${columns}) ENGINE = MergeTree ORDER BY tuple() ${more}`)
  return name
}
const stored = async (name: string, columns = '*'): Promise<Row[]> => (await database.owner.execute(`SELECT ${columns} FROM ${name} ORDER BY ALL`)).rows
const count = async (name: string): Promise<number> => Number((await stored(name, 'count() AS n'))[0]?.['n'])

describe('insert', () => {
  it('stores rows of every kind as they are', async () => {
    const name = await table("n Int64, u UInt64, d Decimal(20, 4), s Nullable(String), l LowCardinality(String), at DateTime64(3), day Date, a Array(Nullable(Int32)), m Map(String, Float64), t Tuple(x UInt8, y String), b Bool")
    const rows = [
      { n: -5n, u: 2n ** 64n - 1n, d: '-1234567890123456.7891', s: null, l: 'x', at: new Date('2024-02-29T12:34:56.789Z'), day: '2024-02-29', a: [1, null], m: { k: 0.5 }, t: { x: 1, y: "q'" }, b: true },
      { n: 7, u: 7, d: '0.0000', s: "it's\t\n\\", l: '', at: new Date(0), day: '1970-01-01', a: [], m: {}, t: [2, ''], b: false },
    ]
    expect(await database.owner.insert(name, rows)).toMatchObject({ rows: 2 })

    expect(await stored(name, 'n, u, d, s, l, at, day, a, b')).toEqual(rows.map(({ m: _m, t: _t, ...rest }) => ({ ...rest, n: BigInt(rest.n), u: BigInt(rest.u) })))
  })

  it('stores a batch that spans more partitions than the server lets a block have', async () => {
    await database.owner.execute('CREATE TABLE many_partitions (n UInt32) ENGINE = MergeTree PARTITION BY n ORDER BY n')
    await database.owner.insert('many_partitions', Array.from({ length: 150 }, (_, n) => ({ n })))
    expect((await database.owner.execute('SELECT count() AS rows, uniq(_partition_id) AS partitions FROM many_partitions')).rows).toEqual([{ rows: 150n, partitions: 150n }])
  })

  it('leaves to the table what no row names, and never fills what the table computes', async () => {
    const name = await table('a UInt8, b UInt8 DEFAULT a + 1, c UInt8 MATERIALIZED a + 2, d UInt8 ALIAS a + 3')
    await database.owner.insert(name, [{ a: 1 }])
    expect(await stored(name, 'a, b, c, d')).toEqual([{ a: 1, b: 2, c: 3, d: 4 }])
    for (const column of ['c', 'd', 'e']) await expect(database.owner.insert(name, [{ a: 1 }, { a: 1, [column]: 1 }])).rejects.toMatchObject({ issues: [{ path: [1, column] }] })
    expect(await count(name)).toBe(1)
  })

  it('names row and column of a value that does not fit, and sends nothing', async () => {
    const name = await table('n UInt8, s String')
    const error: unknown = await database.owner.insert(name, [{ n: 1, s: 'x' }, { n: 256, s: 'secret' }]).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ status: 400, retryable: false, issues: [{ path: [1, 'n'] }] })
    expect(String(error)).not.toContain('secret')
    expect(await count(name)).toBe(0)
  })

  it('stores all rows as one block, or none', async () => {
    const name = await table('n UInt32, CONSTRAINT small CHECK n < 299999')
    const rows = Array.from({ length: 300_000 }, (_value, n) => ({ n }))
    await expect(database.owner.insert(name, rows)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CONSTRAINT' })
    expect(await count(name)).toBe(0)

    await database.owner.insert(name, rows.slice(0, -1))
    expect(await count(name)).toBe(299_999)
    expect((await database.owner.execute('SELECT count() AS parts FROM system.parts WHERE database = currentDatabase() AND table = :name', { name })).rows).toEqual([{ parts: 1n }])
  })

  it('stores a token once in a table that remembers tokens', async () => {
    const name = `t_${made++}`
    await createTable(database.owner, name, { columns: { n: 'UInt8' } })
    for (let repeat = 0; repeat < 3; repeat++) await database.owner.insert(name, [{ n: 1 }], { token: 'one' })
    await database.owner.insert(name, [{ n: 1 }], { token: 'two' })
    expect(await count(name)).toBe(2)
  })

  it('notices that the table has changed', async () => {
    const name = await table('a UInt8, b String')
    await database.owner.insert(name, [{ a: 1, b: 'x' }])
    await database.owner.execute(`ALTER TABLE ${name} MODIFY COLUMN a Int64, ADD COLUMN c UInt8`)

    const attempts = async (row: Row): Promise<void> => {
      await database.owner.insert(name, [row]).catch(() => {})
      await database.owner.insert(name, [row])
    }
    await attempts({ a: -1, b: 'y', c: 9 })

    expect(await stored(name)).toContainEqual({ a: -1n, b: 'y', c: 9 })
    expect((await stored(name)).length).toBe(2)
  })

  it('takes types that have no binary form here', async () => {
    const name = await table('n UInt64, j JSON, at DateTime64(3)')
    await database.owner.insert(name, [{ n: 2n ** 63n, j: { a: { b: 1 } }, at: new Date(1234) }])
    expect(await stored(name, 'n, toJSONString(j) AS j, at')).toEqual([{ n: 2n ** 63n, j: '{"a":{"b":1}}', at: new Date(1234) }])
  })

  it('takes quoted names, of another database too', async () => {
    const name = '`odd ``name`'
    await database.owner.execute(`CREATE TABLE ${name} (\`a b\` UInt8) ENGINE = MergeTree ORDER BY tuple()`)
    await database.owner.insert(`${database.name}.${name}`, [{ 'a b': 1 }])
    expect(await stored(name)).toEqual([{ 'a b': 1 }])
  })

  it('tells a table that is not there', async () => {
    await expect(database.owner.insert('missing', [{ n: 1 }])).rejects.toThrow('missing')
    await expect(database.reader.insert(await table('n UInt8'), [{ n: 1 }])).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
  })

  it('does nothing for no rows, and for a signal that has aborted', async () => {
    const name = await table('n UInt8')
    expect(await database.owner.insert(name, [])).toMatchObject({ rows: 0 })
    await expect(database.owner.insert(name, [{ n: 1 }], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await count(name)).toBe(0)
  })
})

describe('when the connection breaks', () => {
  let proxy: FlakyProxy
  afterEach(() => proxy.close())
  const through = () => {
    const { owner } = inject('clickhouse')
    return createAdapter({ url: proxy.url, user: owner.username, password: owner.password, database: database.name, retry: { baseDelayMs: 1 } })
  }

  it.each(['lost', 'unanswered', 'bad-gateway'] as const)('asks again: %s', async (fate) => {
    proxy = await flakyProxy(inject('clickhouse').url, (_request, times) => (times <= 2 ? fate : 'passed'))
    const adapter = through()
    expect((await adapter.execute('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
    expect(proxy.requests).toHaveLength(3)
    await expect(adapter.execute('SELEC 1')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_SYNTAX' })
    expect(proxy.requests).toHaveLength(4)
    await adapter.close()
  })

  it('does not ask again when told not to, nor for what changes something', async () => {
    proxy = await flakyProxy(inject('clickhouse').url, (request) => (/SELECT 1|CREATE|WITH/.test(request) ? 'unanswered' : 'passed'))
    const adapter = through()
    await expect(adapter.execute('SELECT 1', {}, { retry: false })).rejects.toMatchObject({ retryable: true })
    await expect(adapter.execute('CREATE TABLE once (n UInt8) ENGINE = Memory')).rejects.toMatchObject({ retryable: true })
    await expect(adapter.execute('WITH 1 AS n INSERT INTO once SELECT n')).rejects.toMatchObject({ retryable: true })
    expect(proxy.requests).toHaveLength(3)
    await adapter.close()
  })

  it('sends an insert again under its token, and it is stored once', async () => {
    const name = `t_${made++}`
    await createTable(database.owner, name, { columns: { n: 'UInt8' } })
    let lost = 0
    proxy = await flakyProxy(inject('clickhouse').url, (request) => (request.includes('INSERT INTO') && lost++ < 2 ? 'unanswered' : 'passed'))
    const adapter = through()

    await adapter.insert(name, [{ n: 1 }, { n: 2 }], { token: 'the batch' })

    expect(proxy.requests.filter((request) => request.includes('INSERT INTO'))).toHaveLength(3)
    expect(await count(name)).toBe(2)
    await adapter.close()
  })

  it.each([
    ['without a token', undefined, 'SETTINGS non_replicated_deduplication_window = 100'],
    ['with a token that the table takes no notice of', 'token', ''],
  ])('sends an insert once %s', async (_what, token, settings) => {
    const name = await table('n UInt8', settings)
    proxy = await flakyProxy(inject('clickhouse').url, (request) => (request.includes('INSERT INTO') ? 'unanswered' : 'passed'))
    const adapter = through()

    await expect(adapter.insert(name, [{ n: 1 }], { token })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CONNECTION' })

    expect(await count(name)).toBe(1)
    await adapter.close()
  })

  it('leaves a server alone that keeps failing', async () => {
    proxy = await flakyProxy(inject('clickhouse').url, () => 'lost')
    const { owner } = inject('clickhouse')
    const adapter = createAdapter({ url: proxy.url, user: owner.username, password: owner.password, retry: { maxAttempts: 1 }, breaker: { minimumCalls: 5, openMs: 60_000 } })
    const codes = new Set<unknown>()
    for (let call = 0; call < 20; call++) codes.add(await adapter.execute('SELECT 1').catch((error: { code: string }) => error.code))
    expect(codes).toContain('ERR_CLICKHOUSE_CIRCUIT_OPEN')
    expect(proxy.requests.length).toBeLessThan(10)
    await adapter.close()
  })
})
