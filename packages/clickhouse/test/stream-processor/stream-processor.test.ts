import type { Row } from '@smart-whale/interfaces'
import { OperationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type ClickHouseAdapter,
  createStreamProcessor,
  type InsertOptions,
  type StreamProcessor,
  type StreamProcessorOptions,
} from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
const processors: StreamProcessor[] = []
let tables = 0

beforeAll(async () => {
  database = await ownDatabase()
})
afterEach(async () => {
  await Promise.all(processors.splice(0).map((processor) => processor.stop()))
})
afterAll(() => database.drop())

async function table(columns: string, settings = 'non_replicated_deduplication_window = 1000'): Promise<string> {
  const name = `t${++tables}`
  await database.owner.execute(`CREATE TABLE ${name} (${columns}) ENGINE = MergeTree ORDER BY tuple() SETTINGS ${settings}`)
  return name
}

async function rowsOf(name: string, select = '*'): Promise<Row[]> {
  return (await database.owner.execute(`SELECT ${select} FROM ${name} ORDER BY ALL`)).rows
}

/** The real adapter, with a record of its inserts and a place to break or hold them. */
function watched(intervene: (attempt: number) => Promise<void> | void = () => {}): {
  adapter: ClickHouseAdapter
  inserts: { rows: number; token: string | undefined }[]
} {
  const inserts: { rows: number; token: string | undefined }[] = []
  const insert = async (name: string, rows: readonly Row[], options?: InsertOptions) => {
    inserts.push({ rows: rows.length, token: options?.token })
    await intervene(inserts.length)
    return database.owner.insert(name, rows, options)
  }
  const adapter = new Proxy(database.owner, {
    get: (target, name) => {
      if (name === 'insert') return insert
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { adapter, inserts }
}

function stream(options: StreamProcessorOptions = {}, adapter: ClickHouseAdapter = database.owner): StreamProcessor {
  const processor = createStreamProcessor(adapter, options)
  processors.push(processor)
  return processor
}

describe('rows handed to a stream', () => {
  it('are stored when the call returns, coerced to their columns', async () => {
    const name = await table(
      'id UInt64, at DateTime64(3), day Date, price Decimal(9, 2), ok Bool, tags Array(LowCardinality(String)), note Nullable(String)',
    )

    const receipt = await stream().processStreamData(name, [
      {
        id: '18446744073709551615',
        at: '2001-01-31 12:00:00.123',
        day: new Date('2001-01-31T23:00:00Z'),
        price: '1.50',
        ok: 1,
        tags: ['a', 1],
        note: null,
      },
    ])

    expect(receipt).toEqual({ accepted: 1, rejected: [] })
    expect(await rowsOf(name)).toEqual([
      {
        id: 18446744073709551615n,
        at: new Date('2001-01-31T12:00:00.123Z'),
        day: '2001-01-31',
        price: expect.stringMatching(/^1\.50?$/) as string,
        ok: true,
        tags: ['a', '1'],
        note: null,
      },
    ])
  })

  it('that do not fit are told one by one, and keep no other from being stored', async () => {
    const name = await table("id UInt8, word String DEFAULT 'none', CONSTRAINT small CHECK id < 100")

    const receipt = await stream().processStreamData(name, [
      { id: 1 },
      { id: 300 },
      { id: 2, other: 1 },
      { id: 150 },
      null as never,
      { id: 3, word: 'x' },
      { id: 160, word: 'y' },
    ])

    expect(receipt.accepted).toBe(2)
    expect(receipt.rejected.map(({ index, issues }) => [index, issues[0]?.path[0], issues[0]?.message])).toEqual([
      [1, 'id', expect.stringContaining('UInt8')],
      [2, 'other', 'is not a column of the table'],
      [3, undefined, expect.stringContaining('small')],
      [4, undefined, expect.stringContaining('null')],
      [6, undefined, expect.stringContaining('small')],
    ])
    expect(await rowsOf(name)).toEqual([
      { id: 1, word: 'none' },
      { id: 3, word: 'x' },
    ])
  })

  it('of many calls go in few inserts', async () => {
    const name = await table('id UInt32')
    const { adapter, inserts } = watched()
    const processor = stream({ maxBatchAgeMs: 50 }, adapter)

    await Promise.all(Array.from({ length: 200 }, (_value, id) => processor.processStreamData(name, [{ id }])))

    expect(await rowsOf(name, 'count() AS n, sum(id) AS sum')).toEqual([{ n: 200n, sum: 19900n }])
    expect(inserts.length).toBeLessThanOrEqual(5)
  })

  it('are cut into batches by rows and by bytes', async () => {
    const name = await table('word String')
    const { adapter, inserts } = watched()
    const processor = stream({ maxBatchRows: 100, maxBatchBytes: 1000 }, adapter)

    await processor.processStreamData(
      name,
      Array.from({ length: 250 }, () => ({ word: 'a' })),
    )
    const byRows = inserts.splice(0)
    await processor.processStreamData(
      name,
      Array.from({ length: 5 }, () => ({ word: 'a'.repeat(400) })),
    )

    expect(byRows.map(({ rows }) => rows)).toEqual([100, 100, 50])
    expect(inserts.map(({ rows }) => rows)).toEqual([2, 2, 1])
    expect(processor.getStats()).toMatchObject({ rowsStored: 255, batches: 6, pendingRows: 0, pendingBytes: 0, waitingCalls: 0 })
  })

  it('wait no longer than a batch may age, and leave no timer', async () => {
    const clock = new FakeClock()
    const name = await table('id UInt32')
    const { adapter, inserts } = watched()
    const processor = stream({ maxBatchAgeMs: 700, clock }, adapter)
    const stored = processor.processStreamData(name, [{ id: 1 }])
    // The table's columns are asked for in real time, before the batch begins to age.
    await expect.poll(() => clock.pendingTimers, { interval: 5 }).toBeGreaterThanOrEqual(2)

    await clock.advance(699)
    const early = inserts.length
    await clock.advance(1)
    await stored
    await processor.stop()

    expect([early, inserts.length]).toEqual([0, 1])
    expect(clock.pendingTimers).toBe(0)
  })

  it('may leave out different columns, each then gets its default', async () => {
    const name = await table("a UInt8 DEFAULT 7, b String DEFAULT 'b'")
    const rows = [{ a: 1 }, { b: 'x' }, { a: 2, b: 'y' }, { b: 'z', a: 3 }, { a: 4 }]

    await stream().processStreamData(name, rows)

    expect(await rowsOf(name)).toEqual([
      { a: 1, b: 'b' },
      { a: 2, b: 'y' },
      { a: 3, b: 'z' },
      { a: 4, b: 'b' },
      { a: 7, b: 'x' },
    ])
  })

  it('may fill a column that the table got just now', async () => {
    const name = await table('id UInt8')
    const clock = new FakeClock()
    const processor = stream({ maxBatchRows: 1, clock })
    await processor.processStreamData(name, [{ id: 1 }])
    await database.owner.execute(`ALTER TABLE ${name} ADD COLUMN word String`)
    await clock.advance(1000)

    const receipt = await processor.processStreamData(name, [{ id: 2, word: 'new' }])

    expect(receipt).toEqual({ accepted: 1, rejected: [] })
    expect(await rowsOf(name)).toEqual([
      { id: 1, word: '' },
      { id: 2, word: 'new' },
    ])
  })

  it('come out as they went in, whatever they are', async () => {
    const name = await table('id UInt32, n Int64, x Float64, word String, list Array(Int32), note Nullable(String), at DateTime64(3)')
    const row = fc.record({
      n: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      x: fc.double({ noNaN: true }),
      word: fc.string({ unit: 'grapheme' }),
      list: fc.array(fc.integer()),
      note: fc.option(fc.string()),
      at: fc.date({ min: new Date('1971-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
    })
    const rows = fc.sample(row, 500).map((each, id) => ({ id, ...each }))

    await stream().processStreamData(name, rows)

    expect(await rowsOf(name)).toEqual(rows.map((each) => ({ ...each, x: Object.is(each.x, -0) ? -0 : each.x })))
  })
})

describe('a stream under a name for its rows', () => {
  it('stores them once, however often and by whomever they are handed over', async () => {
    const name = await table('id UInt32')
    const rows = Array.from({ length: 25 }, (_value, id) => ({ id }))
    const options = { maxBatchRows: 10 }

    for (let time = 0; time < 3; time++) await stream(options).processStreamData(name, rows, { idempotencyKey: 'order-7' })

    expect(await rowsOf(name, 'count() AS n')).toEqual([{ n: 25n }])
  })

  it('does not take other rows under the same name for a repeat', async () => {
    const name = await table('id UInt32')
    const processor = stream()

    for (const id of [1, 2]) await processor.processStreamData(name, [{ id }], { idempotencyKey: 'same' })

    expect(await rowsOf(name)).toEqual([{ id: 1 }, { id: 2 }])
  })

  it('needs a table that drops repeats', async () => {
    const name = await table('id UInt32', 'index_granularity = 8192')

    await expect(stream().processStreamData(name, [{ id: 1 }], { idempotencyKey: 'x' })).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_NO_DEDUPLICATION',
      message: expect.stringContaining('non_replicated_deduplication_window') as string,
    })
  })

  it('and without one keeps equal rows apart', async () => {
    const name = await table('id UInt32')
    const processor = stream()

    for (let time = 0; time < 3; time++) await processor.processStreamData(name, [{ id: 1 }])

    expect(await rowsOf(name)).toEqual([{ id: 1 }, { id: 1 }, { id: 1 }])
  })

  it.each([
    ['that drops repeats has a token, so that it can be sent again', 'non_replicated_deduplication_window = 10', expect.any(String)],
    ['that keeps repeats has none, and is sent once', 'index_granularity = 8192', undefined],
  ])('an insert into a table %s', async (_what, settings, token) => {
    const { adapter, inserts } = watched()

    await stream({}, adapter).processStreamData(await table('id UInt32', settings), [{ id: 1 }])

    expect(inserts).toEqual([{ rows: 1, token }])
  })
})

describe('a stream into a server that is slow or away', () => {
  it('takes no more than it may hold; callers wait, and are told when it takes too long', async () => {
    const name = await table('id UInt32')
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>()
    const { adapter } = watched(() => held)
    const processor = stream({ maxBatchRows: 10, maxPendingRows: 20, maxBatchAgeMs: 1 }, adapter)
    const call = (timeoutMs: number) =>
      processor.processStreamData(
        name,
        Array.from({ length: 10 }, (_value, id) => ({ id })),
        { timeoutMs },
      )
    const within = [call(60_000), call(60_000)]
    while (processor.getStats().pendingRows < 20) await new Promise((resolve) => setImmediate(resolve))
    const patient = call(60_000)

    const hasty = call(200)
    await expect(hasty).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_STREAM_FULL', retryable: true, status: 503 })
    const full = processor.getStats()
    letGo()
    await Promise.all([...within, patient])

    expect(full).toMatchObject({ pendingRows: 20, waitingCalls: 1 })
    expect(await rowsOf(name, 'count() AS n')).toEqual([{ n: 30n }])
  })

  it('tells every caller of a batch that failed, and goes on with the next', async () => {
    const name = await table('id UInt32')
    const { adapter } = watched((attempt) => {
      if (attempt === 1) throw new OperationError('the server broke')
    })
    const invalidated: string[] = []
    const processor = stream(
      { maxBatchAgeMs: 20, invalidates: { invalidateTables: async (names) => void invalidated.push(...names) } },
      adapter,
    )

    const failed = await Promise.allSettled([1, 2].map((id) => processor.processStreamData(name, [{ id }])))
    const later = await processor.processStreamData(name, [{ id: 3 }])

    expect(failed.map((outcome) => outcome.status === 'rejected' && (outcome.reason as Error).message)).toEqual([
      'the server broke',
      'the server broke',
    ])
    expect(later.accepted).toBe(1)
    expect(await rowsOf(name)).toEqual([{ id: 3 }])
    expect(processor.getStats()).toMatchObject({ rowsFailed: 2, failedBatches: 1, rowsStored: 1, pendingRows: 0 })
    // What failed may nevertheless have been stored.
    expect(invalidated).toHaveLength(2)
  })

  it('stores what it took when its caller has left', async () => {
    const name = await table('id UInt32')
    const leaving = new AbortController()
    const processor = stream({ maxBatchAgeMs: 50 })
    const call = processor.processStreamData(name, [{ id: 1 }], { signal: leaving.signal })
    while (processor.getStats().pendingRows === 0) await new Promise((resolve) => setImmediate(resolve))

    leaving.abort()

    await expect(call).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await processor.stop()
    expect(await rowsOf(name)).toEqual([{ id: 1 }])
  })
})

describe('a stream that stops', () => {
  it('stores what it holds, sends waiting callers away, and takes no more', async () => {
    const name = await table('id UInt32')
    const processor = stream({ maxBatchAgeMs: 60_000, maxBatchRows: 2, maxPendingRows: 2 })
    const taken = processor.processStreamData(name, [{ id: 1 }])
    while (processor.getStats().pendingRows === 0) await new Promise((resolve) => setImmediate(resolve))
    const waiting = processor.processStreamData(name, [{ id: 2 }, { id: 3 }])
    waiting.catch(() => {})
    while (processor.getStats().waitingCalls === 0) await new Promise((resolve) => setImmediate(resolve))

    await processor.stop()
    await processor.stop()

    expect(await taken).toMatchObject({ accepted: 1 })
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_STREAM_STOPPED' })
    await expect(processor.processStreamData(name, [{ id: 4 }])).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_STREAM_STOPPED' })
    expect(await rowsOf(name)).toEqual([{ id: 1 }])
  })
})

describe('a call to a stream', () => {
  it.each([
    [['', []], 'table'],
    [[5, []], 'table'],
    [['t', 'rows'], 'rows'],
    [['t', null], 'rows'],
  ])('with %o is refused, and %s named', async (call, field) => {
    await expect(stream().processStreamData(...(call as [string, Row[]]))).rejects.toMatchObject({
      status: 400,
      issues: [{ path: [field] }],
    })
  })

  it('for a table that is not there says so', async () => {
    await expect(stream().processStreamData('nowhere', [{ id: 1 }])).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT',
      status: 404,
    })
  })

  it('without rows stores nothing', async () => {
    expect(await stream().processStreamData(await table('id UInt8'), [])).toEqual({ accepted: 0, rejected: [] })
  })

  it.each([
    [{ maxBatchRows: 0 }, 'maxBatchRows'],
    [{ maxPendingRows: 5, maxBatchRows: 10 }, 'maxPendingRows'],
    [{ maxBatchAgeMs: 1.5 }, 'maxBatchAgeMs'],
  ])('wants options that make sense: %o', (options, name) => {
    expect(() => createStreamProcessor(database.owner, options)).toThrow(name)
  })
})
