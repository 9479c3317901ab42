import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Advice, advise, analyzeQuery, type LoggedQuestion, recordQuestions } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase

beforeAll(async () => {
  database = await ownDatabase()
  const { owner } = database
  await owner.execute("CREATE TABLE rides (id UInt64, city LowCardinality(String), at DateTime, driver UInt32, price Float64) ENGINE = MergeTree ORDER BY id SETTINGS index_granularity = 1024")
  await owner.execute("INSERT INTO rides SELECT number, ['Oslo', 'Bergen', 'Moss'][number % 3 + 1], toDateTime('2026-01-01 00:00:00') + number, number % 997, number % 100 FROM numbers(100000)", {}, { settings: { async_insert: 0 } })
})
afterAll(() => database.drop())

async function samplesLeft(): Promise<unknown[]> {
  return (await database.owner.execute("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'smart_whale_sample_%'")).rows
}

describe('advice', () => {
  let advice: Advice

  beforeAll(async () => {
    const log = recordQuestions(database.owner)
    for (const driver of [1, 2]) await log.adapter.execute('SELECT count(), sum(price) FROM rides WHERE driver = :driver', { driver })
    await log.adapter.execute('SELECT city, count() AS n, sum(price) AS total FROM rides GROUP BY city')
    await log.adapter.execute('SELECT 1 AS n FROM rides WHERE id = :id', { id: 1 })
    // What a run left behind that was killed.
    advice = await advise(database.owner, { questions: log.questions(), sampleRows: 50_000 })
  })

  const of = (kind: string) => advice.proposals.filter((proposal) => proposal.kind === kind)

  it('is measured: an order and a projection by what is filtered, and a rollup of what is grouped, each with its gain and its statements', () => {
    expect(of('order-by')[0]).toMatchObject({ table: `${database.name}.rides`, what: 'ORDER BY (`driver`, id)', times: 2, question: expect.stringContaining('driver = ') as string })
    expect(of('order-by')[0]?.gain).toBeGreaterThan(0.8)
    expect(of('projection')[0]?.gain).toBeGreaterThan(0.5)
    expect(of('rollup')[0]).toMatchObject({ what: 'rollup by city', after: { rowsRead: 3 } })
    expect(of('rollup')[0]?.gain).toBeGreaterThan(0.9)
    for (const { before, after, gain, kind } of advice.proposals) {
      const [from, to] = kind === 'codec' ? [before.bytesStored, after.bytesStored] : [before.bytesRead, after.bytesRead]
      expect(gain).toBeCloseTo(1 - to / from)
    }
  })

  it('on codecs is measured by the size of the column', () => {
    expect(of('codec').map(({ what }) => what)).toContain('at CODEC(DoubleDelta, ZSTD(1))')
  })

  it('on codecs leaves alone what takes no space', async () => {
    await database.owner.execute('CREATE TABLE few (id UInt64, x UInt64) ENGINE = MergeTree ORDER BY id')
    await database.owner.execute('INSERT INTO few SELECT number, number FROM numbers(100)', {}, { settings: { async_insert: 0 } })
    const log = recordQuestions(database.owner)
    await log.adapter.execute('SELECT max(id) FROM few WHERE x = 7')

    const { proposals, rejected } = await advise(database.owner, { questions: log.questions() })

    expect(proposals.filter(({ kind }) => kind === 'codec')).toEqual([])
    expect(rejected).toContainEqual({ table: `${database.name}.few`, what: expect.stringMatching(/^id CODEC/) as string, reason: expect.stringMatching(/too little to matter/) as string })
  })

  it('that does not help is told as such', () => {
    expect(advice.rejected).toContainEqual({ table: `${database.name}.rides`, what: 'INDEX driver bloom_filter(0.01)', reason: expect.stringMatching(/saves -?\d+ % only/) as string })
  })

  it('proposes an index that lets granules be skipped, with what it saves', async () => {
    const { owner } = database
    await owner.execute('CREATE TABLE visits (id UInt64, batch UInt32, note String) ENGINE = MergeTree ORDER BY id SETTINGS index_granularity = 1024')
    // Equal batches lie together, but not in the order of the key.
    await owner.execute('INSERT INTO visits SELECT number, intHash32(intDiv(number, 5000)), toString(cityHash64(number)) FROM numbers(100000)', {}, { settings: { async_insert: 0 } })
    const log = recordQuestions(owner)
    const [middle] = (await owner.execute('SELECT batch FROM visits GROUP BY batch ORDER BY batch LIMIT 1 OFFSET 10')).rows
    const query = `SELECT count(), max(note) FROM visits WHERE batch = ${String(middle?.['batch'])}`
    await log.adapter.execute(query)

    const { proposals } = await advise(owner, { questions: log.questions(), sampleRows: 100_000 })
    const index = proposals.find(({ kind }) => kind === 'skip-index')
    for (const statement of index?.ddl ?? []) await owner.execute(statement, {}, { settings: { mutations_sync: 1 } })
    const { reads } = await analyzeQuery(owner, query)

    expect(index).toMatchObject({ what: 'INDEX batch bloom_filter(0.01)', question: query })
    expect(index?.gain).toBeGreaterThan(0.2)
    expect(reads[0]?.granules).toBeLessThan((reads[0]?.granulesOfTable ?? 0) * 0.2)
  })

  it('leaves no sample behind', async () => {
    expect(await samplesLeft()).toEqual([])
  })

  it('can be followed: its statements run, and the rollup answers as the table does', async () => {
    const { owner } = database
    for (const { kind, ddl } of advice.proposals) if (kind !== 'order-by') for (const statement of ddl) await owner.execute(statement, {}, { settings: { mutations_sync: 1 } })

    const { rows } = await owner.execute('SELECT k0 AS city, countMerge(s0) AS n, sumMerge(s1) AS total FROM rides_rollup GROUP BY city ORDER BY city')

    expect(rows).toEqual((await owner.execute('SELECT city, count() AS n, sum(price) AS total FROM rides GROUP BY city ORDER BY city')).rows)
  })

  it('removes samples when it is ended in the middle', async () => {
    const ending = new AbortController()
    const question: LoggedQuestion = { query: 'SELECT count() FROM rides WHERE city = 1', database: database.name, tables: [`${database.name}.rides`], times: 1, readRows: 0, readBytes: 0, durationMs: 0, resultRows: 0, granulesRead: 0, granules: 0 }
    const running = advise(database.owner, { questions: [question], signal: ending.signal, onProgress: (what) => what.startsWith('measuring') && ending.abort() })

    await expect(running).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await samplesLeft()).toEqual([])
  })

  it('says when there is no log to look at', async () => {
    expect(await advise(database.reader)).toMatchObject({ proposals: [], unseen: expect.stringMatching(/can't be read .*recordQuestions/) as string })
  })
})

describe('what a query would cost', () => {
  it('is told with the use of the key, of indexes and of PREWHERE, and nothing runs', async () => {
    const { owner } = database
    await owner.execute('CREATE TABLE small (id UInt64, city String) ENGINE = MergeTree ORDER BY id')
    await owner.execute('CREATE TABLE kept (id UInt64, driver UInt32, x UInt32, INDEX by_x x TYPE minmax GRANULARITY 1) ENGINE = MergeTree ORDER BY id SETTINGS index_granularity = 1024')
    await owner.execute('INSERT INTO kept SELECT number, number % 997, number % 7 FROM numbers(200000)', {}, { settings: { async_insert: 0 } })
    await owner.execute('INSERT INTO small SELECT number, toString(number) FROM numbers(10)', {}, { settings: { async_insert: 0 } })

    const byKey = await analyzeQuery(owner, 'SELECT count() FROM kept WHERE id < 10')
    const beside = await analyzeQuery(owner, 'SELECT sum(id) FROM kept WHERE driver = :driver AND x = 3', { driver: 5 })
    const alone = await analyzeQuery(owner, 'SELECT count() FROM kept WHERE driver = 5')
    const unmoved = await analyzeQuery(owner, 'SELECT sum(id) FROM kept WHERE driver = 5', {}, { settings: { optimize_move_to_prewhere: 0 } })
    const all = await analyzeQuery(owner, 'SELECT * FROM kept')
    const grouped = await analyzeQuery(owner, 'SELECT driver, count() FROM kept GROUP BY driver')
    const joined = await analyzeQuery(owner, 'SELECT small.city, count() FROM small JOIN kept ON kept.id = small.id GROUP BY 1', {}, { settings: { query_plan_join_swap_table: 'false', query_plan_optimize_join_order_limit: 0 } })

    expect(byKey.reads[0]).toMatchObject({ table: `${database.name}.kept`, granules: 1, sortingKey: 'id' })
    expect(byKey.findings).toEqual([])
    expect(beside.findings.map(({ about }) => about)).toEqual(['primary-key', 'skip-index', 'skip-index'])
    expect(beside.findings[0]?.reason).toMatch(/the key \(id\) can tell nothing of the filters \(driver, x\): .* \(100 %\)/)
    expect(beside.findings[1]?.remedy).toMatch(/DROP INDEX by_x/)
    expect(beside.findings[2]?.remedy).toMatch(/ADD INDEX by_driver `driver` TYPE bloom_filter/)
    expect(alone.findings.map(({ about }) => about)).toEqual(['primary-key', 'skip-index'])
    expect(unmoved.findings.map(({ about }) => about)).toEqual(['primary-key', 'skip-index', 'prewhere'])
    expect(beside.reads[0]?.prewhere).toMatch(/driver/)
    expect(beside.estimate.rows).toBe(200_000)
    expect(all.findings.map(({ about }) => about)).toEqual(['select-all'])
    expect(grouped.findings.map(({ about }) => about)).toEqual(['projection'])
    expect(joined.findings.map(({ about }) => about)).toContain('join-order')
  })

  it('is not told of what is no query', async () => {
    await expect(analyzeQuery(database.owner, 'SELECT FROM WHERE')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_SYNTAX' })
  })
})
