import { TimeoutError } from '@smart-whale/interfaces'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createAdapter, typed } from '../../src/index.ts'
import { until } from '../embedded/servers.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

const running = async (marker: string): Promise<number> => {
  const { rows } = await database.owner.execute("SELECT count() AS n FROM system.processes WHERE query LIKE :pattern AND query NOT LIKE '%system.processes%'", { pattern: `%${marker}%` })
  return Number(rows[0]?.['n'])
}
const SLOW = 'SELECT sleepEachRow(0.2) FROM numbers(100) SETTINGS max_block_size = 1'
const ENDLESS = 'SELECT number FROM system.numbers'

describe('execute', () => {
  it('answers exact values of every kind, whatever the session says', async () => {
    const { rows, columns } = await database.owner.execute(`SELECT
      9007199254740993::Int64 AS i64, 18446744073709551615::UInt64 AS u64, -170141183460469231731687303715884105728::Int128 AS i128,
      255::UInt8 AS u8, -2147483648::Int32 AS i32, 0.1::Float64 AS f, nan AS n, inf AS inf, true AS yes,
      '12345678901234567890.0123456789'::Decimal(38, 10) AS d, 'naïve 🐳' AS s, 'ab'::FixedString(2) AS fixed,
      toDate('2024-02-29') AS day, toDateTime('2024-02-29 12:34:56', 'Asia/Tokyo') AS time, toDateTime64('1969-12-31 23:59:59.999', 3, 'UTC') AS ms,
      '61f0c404-5cb3-11e7-907b-a6006ad3dba0'::UUID AS uuid, '::1'::IPv6 AS v6, 'b'::Enum8('a' = 1, 'b' = 2) AS e, NULL AS none,
      [1, NULL, 3]::Array(Nullable(Int64)) AS list, map('k', [1::UInt64]) AS m, (1::UInt8, 'x')::Tuple(a UInt8, b String) AS named, toLowCardinality('low') AS low`)

    expect(rows).toEqual([
      expect.objectContaining({
        i64: 9007199254740993n, u64: 18446744073709551615n, i128: -170141183460469231731687303715884105728n, u8: 255, i32: -2147483648, f: 0.1, n: Number.NaN, inf: Infinity, yes: true,
        d: '12345678901234567890.0123456789', s: 'naïve 🐳', fixed: 'ab', day: '2024-02-29', time: new Date('2024-02-29T03:34:56Z'), ms: new Date('1969-12-31T23:59:59.999Z'),
        uuid: '61f0c404-5cb3-11e7-907b-a6006ad3dba0', v6: '::1', e: 'b', none: null, list: [1n, null, 3n], low: 'low',
      }) as unknown,
    ])
    expect(columns.find(({ name }) => name === 'list')).toEqual({ name: 'list', type: 'Array(Nullable(Int64))' })
  })

  it('tells what it cost, under the id given', async () => {
    const { statistics, queryId } = await database.owner.execute('SELECT sum(number) FROM numbers(10000)', {}, { queryId: 'a-query-of-mine' })
    expect(queryId).toBe('a-query-of-mine')
    expect(statistics).toMatchObject({ rowsRead: 10_000, bytesRead: 80_000 })
    expect(statistics.elapsedMs).toBeGreaterThan(0)
  })

  it('runs what answers nothing', async () => {
    expect((await database.owner.execute('CREATE TABLE nothing (n UInt8) ENGINE = Memory')).rows).toEqual([])
    expect((await database.owner.execute('INSERT INTO nothing SELECT 1')).rows).toEqual([])
    expect((await database.owner.execute('SELECT * FROM nothing WHERE 0')).rows).toEqual([])
  })

  it('takes values and settings', async () => {
    const { rows } = await database.owner.execute("SELECT :a AS a, {b:UInt8} AS b, :c AS c, getSetting('max_threads') AS threads", { a: 'x', b: 7, c: typed('UInt16', 8) }, { settings: { max_threads: 1 } })
    expect(rows).toEqual([{ a: 'x', b: 7, c: 8, threads: 1 }])
  })

  it('refuses a FORMAT clause, and types that it can not read', async () => {
    await expect(database.owner.execute('SELECT 1 FORMAT CSV')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY', status: 400 })
    await expect(database.owner.execute('SELECT sumState(1) AS state')).rejects.toThrow('AggregateFunction')
  })

  it('refuses an answer that is too large to hold', async () => {
    const { url, owner } = inject('clickhouse')
    const small = createAdapter({ url, user: owner.username, password: owner.password, maxResultBytes: 10_000 })
    await expect(small.execute('SELECT number FROM numbers(100000)')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_LIMIT_EXCEEDED' })
    expect((await small.execute('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
    await small.close()
  })

  it('ends at its deadline, on the server as well', async () => {
    const error: unknown = await database.owner.execute(`${SLOW} /* overdue */`, {}, { timeoutMs: 300 }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_TIMEOUT', retryable: false })
    expect(TimeoutError.isInstance(error)).toBe(true)
    await until(async () => (await running('overdue')) === 0, 'the query is gone')
  })

  it.each(['owner', 'reader'] as const)('ends when the %s leaves, on the server as well', async (who) => {
    const abort = new AbortController()
    const query = `SELECT max(cityHash64(toString(number))) FROM numbers(900000000) /* left by ${who} */`
    const asked = database[who].execute(query, {}, { signal: abort.signal })
    asked.catch(() => {})
    await until(async () => (await running(`left by ${who}`)) > 0, 'the query runs')

    abort.abort()

    await expect(asked).rejects.toMatchObject({ code: 'ERR_ABORTED', status: 499 })
    await until(async () => (await running(`left by ${who}`)) === 0, 'the query is gone', 4000)
  })

  it('serves a read-only user exactly, and refuses it what it may not', async () => {
    expect((await database.reader.execute("SELECT 18446744073709551615::UInt64 AS u, '0.10'::Decimal(9, 2) AS d, :a AS a", { a: 5 })).rows).toEqual([{ u: 18446744073709551615n, d: '0.10', a: 5n }])
    await expect(database.reader.execute('SELECT 1', {}, { settings: { max_threads: 1 } })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
    await expect(database.reader.execute('CREATE TABLE x (n UInt8) ENGINE = Memory')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
    await expect(database.reader.execute("SELECT file('/etc/passwd')")).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
    await expect(database.reader.stream("SELECT * APPLY file FROM (SELECT '/etc/passwd')")[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
  })

  it('takes long values', async () => {
    const { rows } = await database.reader.execute('SELECT length(:text) AS n, length(:list) AS m', { text: 'ü'.repeat(200_000), list: Array.from({ length: 50_000 }, (_value, index) => index) })
    expect(rows).toEqual([{ n: 400_000n, m: 50_000n }])
    await expect(database.reader.execute('SELECT length(:text)', { text: 'x'.repeat(20_000_000) })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_LIMIT_EXCEEDED' })
  })
})

describe('executeMany', () => {
  it('answers in the order of the queries, no more at once than allowed', async () => {
    const queries = Array.from({ length: 12 }, (_value, index) => ['SELECT :n AS n, sleep(0.05) AS z /* many */', { n: index }] as const)
    let most = 0
    let done = false
    const watching = (async () => {
      while (!done) most = Math.max(most, await running('many'))
    })()

    const results = await database.owner.executeMany(queries, { concurrency: 3 })
    done = true
    await watching

    expect(results.map(({ rows }) => rows[0]?.['n'])).toEqual(queries.map((_query, index) => BigInt(index)))
    expect(most).toBeLessThanOrEqual(3)
  })

  it('ends the others when one fails', async () => {
    await expect(database.owner.executeMany([`${SLOW} /* sibling */`, 'SELEC 1'])).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_SYNTAX' })
    await until(async () => (await running('sibling')) === 0, 'the others are gone')
  })
})

describe('stream', () => {
  it('reads far more than memory holds, and can be left', async () => {
    const before = process.memoryUsage().rss
    let sum = 0n
    let count = 0
    for await (const { number } of database.owner.stream<{ number: bigint }>(`${ENDLESS} /* endless */`)) {
      sum += number
      if (++count === 1_000_000) break
    }
    expect(sum).toBe((999_999n * 1_000_000n) / 2n)
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024)
    await until(async () => (await running('endless')) === 0, 'the query is gone')
  })

  it('throws what goes wrong half-way, after the rows before it', async () => {
    let rows = 0
    const reading = (async () => {
      for await (const _row of database.owner.stream('SELECT number, throwIf(number = 200000) FROM numbers(1000000) SETTINGS max_block_size = 1000, max_threads = 1')) rows++
    })()
    await expect(reading).rejects.toMatchObject({ serverCode: 395 })
    expect(rows).toBeGreaterThan(1000)
    expect(rows).toBeLessThanOrEqual(200_000)
  })

  it('ends at its deadline and when its caller leaves', async () => {
    const read = async (options: { timeoutMs?: number; signal?: AbortSignal }): Promise<void> => {
      for await (const _row of database.owner.stream(`${ENDLESS} /* bounded */`, {}, options)) void _row
    }
    await expect(read({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_TIMEOUT' })
    await expect(read({ signal: AbortSignal.timeout(300) })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await until(async () => (await running('bounded')) === 0, 'the queries are gone')
  })
})

describe('download', () => {
  const textOf = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }

  it("hands on the bytes of ClickHouse's own formats", async () => {
    const csv = await database.reader.download('SELECT number, :text AS text FROM numbers(2)', { text: 'a"b' }, { format: 'CSVWithNames' })
    expect(await textOf(csv.body)).toBe('"number","text"\n0,"a""b"\n1,"a""b"\n')
    expect(csv.contentType).toBe('text/csv')
    const parquet = await database.reader.download('SELECT 1 AS n', {}, { format: 'Parquet' })
    expect((await textOf(parquet.body)).slice(0, 4)).toBe('PAR1')
  })

  it('throws what goes wrong half-way', async () => {
    const { body } = await database.owner.download('SELECT throwIf(number = 200000) FROM numbers(1000000) SETTINGS max_block_size = 1000', {}, { format: 'CSV' })
    await expect(textOf(body)).rejects.toMatchObject({ serverCode: 395 })
  })
})

describe('the life of an adapter', () => {
  it('tells how the server is', async () => {
    expect(await database.reader.healthCheck()).toMatchObject({ status: 'up', data: { version: expect.stringMatching(/^\d+\.\d+/) as string } })
    const nowhere = createAdapter({ host: '127.0.0.1', port: 1, retry: { maxAttempts: 1 } })
    expect(await nowhere.healthCheck()).toMatchObject({ status: 'down' })
    await expect(nowhere.connect()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CONNECTION', retryable: true })
    await nowhere.close()
  })

  it('ends what runs when it is closed, and refuses what comes later', async () => {
    const adapter = database.connect()
    const asked = adapter.execute(`${SLOW} /* closing */`).catch((error: unknown) => error)
    await until(async () => (await running('closing')) > 0, 'the query runs')

    await Promise.all([adapter.close(), adapter.close()])

    expect(await asked).toMatchObject({ code: 'ERR_CLICKHOUSE_CLOSED' })
    await expect(adapter.execute('SELECT 1')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CLOSED' })
    await expect(adapter.insert('t', [{ n: 1 }])).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CLOSED' })
    await until(async () => (await running('closing')) === 0, 'the query is gone')
  })

  it('shows no password', async () => {
    const { url } = inject('clickhouse')
    const wrong = createAdapter({ url, user: 'owner', password: 'hush-hush' })
    const error: unknown = await wrong.execute('SELECT 1').catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_CLICKHOUSE_AUTHENTICATION', retryable: false })
    expect(JSON.stringify(error) + String(error) + wrong.server).not.toContain('hush-hush')
    await wrong.close()
  })
})
