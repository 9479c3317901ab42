import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { applyFixes, type DoctorFinding, type DoctorOptions, type DoctorReport, runDoctor } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let report: DoctorReport

const THRESHOLDS = { partsOfPartition: 5, partitionsOfTable: 40, retentionBytes: 100_000, systemLogBytes: 1, rowsToLookAt: 50_000, mutationAgeSeconds: 0, loggedQueries: 3, freeDiskShare: 1, usedMemoryShare: 0 }
const examine = (more: DoctorOptions = {}): Promise<DoctorReport> => runDoctor(database.owner, { databases: [database.name], thresholds: THRESHOLDS, ...more })
const run = (...statements: string[]): Promise<void> => statements.reduce(async (before, statement) => (await before, void (await database.owner.execute(statement, {}, { settings: { mutations_sync: 0, async_insert: 0 } }))), Promise.resolve())

/** One server with everything that a server can have here that is wrong. */
beforeAll(async () => {
  database = await ownDatabase()
  await run(
    // A key that begins with what differs in each row; a nullable that never is null; a text of three values; grows for ever.
    "CREATE TABLE rides (id UInt64, city String, at DateTime, tip Nullable(Int32), driver UInt32, maybe Nullable(Int8), note String) ENGINE = MergeTree ORDER BY (id, city, at)",
    "INSERT INTO rides SELECT cityHash64(number), ['Oslo', 'Bergen', 'Moss'][number % 3 + 1], toDateTime('2026-01-01 00:00:00') + number, number % 7, number % 5000, if(number % 2 = 0, NULL, 1), toString(cityHash64(number, 1)) FROM numbers(100000)",
    // Many parts, many partitions.
    'CREATE TABLE many_parts (x UInt64) ENGINE = MergeTree ORDER BY x',
    'SYSTEM STOP MERGES many_parts',
    ...Array.from({ length: 6 }, (_, index) => `INSERT INTO many_parts SELECT ${index}`),
    'CREATE TABLE many_partitions (x UInt64) ENGINE = MergeTree PARTITION BY x ORDER BY x',
    'INSERT INTO many_partitions SELECT number FROM numbers(50)',
    // Detached by hand; a mutation that fails; a nullable key.
    'CREATE TABLE detached (x UInt64) ENGINE = MergeTree ORDER BY x',
    'INSERT INTO detached SELECT 1',
    "ALTER TABLE detached DETACH PARTITION ID 'all'",
    'CREATE TABLE mutating (x String) ENGINE = MergeTree ORDER BY tuple()',
    "INSERT INTO mutating SELECT 'no number'",
    'ALTER TABLE mutating UPDATE x = toString(toUInt8(x)) WHERE 1',
    'CREATE TABLE nullable_key (x Nullable(Int8)) ENGINE = MergeTree ORDER BY x SETTINGS allow_nullable_key = 1',
    // The ingest path without deduplication, and a view that lost its table.
    'CREATE TABLE ingested (source_topic String, source_partition Int32, source_offset Int64) ENGINE = MergeTree ORDER BY source_offset',
    'CREATE TABLE fed (n UInt64) ENGINE = SummingMergeTree ORDER BY n',
    'CREATE MATERIALIZED VIEW feeds TO fed AS SELECT count() AS n FROM ingested GROUP BY source_topic',
    'CREATE TABLE goes (x UInt8) ENGINE = MergeTree ORDER BY x',
    'CREATE VIEW broken AS SELECT x FROM goes',
    'DROP TABLE goes',
  )
  for (let asked = 0; asked < 4; asked++) await database.owner.execute(`SELECT count() FROM rides WHERE driver = ${asked}`)
  // A query is logged behind its answer: what is flushed at once may lack the last one.
  const logged = async () => {
    await run('SYSTEM FLUSH LOGS')
    return (await database.owner.execute("SELECT count() AS n FROM system.query_log WHERE type = 'QueryFinish' AND current_database = currentDatabase() AND query LIKE 'SELECT count() FROM rides WHERE driver = %'")).rows
  }
  await vi.waitFor(async () => expect(await logged()).toEqual([{ n: 4n }]), { timeout: 60_000 })
  report = await examine()
})
afterAll(() => database.drop())

const of = (rule: string): readonly DoctorFinding[] => report.findings.filter((finding) => finding.rule === rule)

describe('the doctor', () => {
  it.each([
    ['deduplication-off', 'ingested', 'critical', /takes no notice of tokens/, /MODIFY SETTING non_replicated_deduplication_window = 10000/],
    ['deduplication-off', 'fed', 'critical', /a view feeds it from .*ingested/, /MODIFY SETTING/],
    ['failing-views', 'broken', 'warning', /does not run: .*goes/, /DROP VIEW/],
    ['stuck-mutations', 'mutating', 'critical', /UPDATE x = .* fails: .*Cannot parse/i, /KILL MUTATION WHERE database/],
    ['too-many-parts', 'many_parts', 'warning', /has 6 parts of 1 rows on average; at 3,000 inserts are refused/, /OPTIMIZE TABLE .* PARTITION ID 'all' FINAL/],
    ['over-partitioning', 'many_partitions', 'warning', /PARTITION BY x makes 50 partitions of 1 rows/, null],
    ['detached-parts', 'detached', 'warning', /1 parts \(\d+ B\) are detached by hand/, /ATTACH PART 'all_1_1_0'/],
    ['no-retention', 'rides', 'warning', /in 100,000 rows, and nothing ever leaves/, /MODIFY TTL toDateTime\(`at`\) \+ INTERVAL/],
    ['high-cardinality-first', 'rides', 'warning', /id has 100 % different values.*city 3/, /ORDER BY \(`city`/],
    ['nullable-key', 'nullable_key', 'warning', /x, which may be null/, null],
    ['needless-nullable', 'rides.tip', 'advice', /not one null in 100,000 rows/, /MODIFY COLUMN `tip` Int32/],
    ['unused-key', 'rides', 'warning', /4 logged questions read 100 % of its granules .* filter by driver/, null],
    ['missing-skip-index', 'rides.driver', 'advice', /4 logged questions filter by it/, /ADD INDEX `by_driver` `driver` TYPE bloom_filter/],
  ] as const)('finds %s of %s', (rule, object, severity, reason, fix) => {
    const finding = of(rule).find((each) => each.object === `${database.name}.${object}`)

    expect(finding).toMatchObject({ severity, reason: expect.stringMatching(reason) as string })
    if (fix === null) expect(finding?.advice).toBeDefined()
    else expect(finding?.fixes.map(({ sql }) => sql).join('\n')).toMatch(fix)
  })

  it.each(['disk-space', 'memory-limits', 'users-without-limits'])('finds %s of the server', (rule) => {
    expect(of(rule).length).toBeGreaterThan(0)
  })

  it('finds nothing that is not there', () => {
    expect(of('needless-nullable').map(({ object }) => object)).toEqual([`${database.name}.rides.tip`])
    expect(of('low-cardinality')).toEqual([])
    expect(report.followed).toContain('readonly-replicas')
    expect(report.unseen).toEqual([])
  })

  it('tells the worst first', () => {
    const order = ['critical', 'warning', 'advice']
    const places = report.findings.map(({ severity }) => order.indexOf(severity))

    expect(places).toEqual([...places].sort())
  })

  it('says of what it may not see that it does not know', async () => {
    const { unseen, findings, followed } = await runDoctor(database.reader, { databases: [database.name] })

    expect(unseen.find(({ rule }) => rule === 'too-many-parts')?.reason).toMatch(/may not look: .*SELECT ON system\./)
    expect([...unseen.map(({ rule }) => rule), ...followed].length).toBe([...report.followed, ...report.unseen].length)
    // What it may see it examines all the same.
    expect(findings.map(({ rule }) => rule)).toContain('failing-views')
  })

  it.each([
    [{ rules: ['parts'] }, 'too-many-parts'],
    [{ thresholds: { parts: 1 } as never }, 'partsOfPartition'],
  ])('refuses what there is not: %j', async (options, named) => {
    await expect(examine(options)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CONFIGURATION', message: expect.stringContaining(named) as string })
  })
})

describe('its fixes', () => {
  it('are told by a dry run, and not sent', async () => {
    const before = of('deduplication-off')
    const fixes = await applyFixes(database.owner, before, { dryRun: true })

    expect(fixes.map(({ outcome }) => outcome)).toEqual(['planned', 'planned'])
    expect((await examine({ rules: ['deduplication-off'] })).findings).toEqual(before)
  })

  it('mend what they are for', async () => {
    const rules = ['deduplication-off', 'stuck-mutations', 'too-many-parts', 'detached-parts', 'needless-nullable', 'no-retention', 'failing-views']
    const { findings } = await examine({ rules })
    await database.owner.execute('SYSTEM START MERGES many_parts')

    const careful = await applyFixes(database.owner, findings)
    const fixes = await applyFixes(database.owner, findings, { withCaution: true })

    expect(new Set(careful.filter(({ outcome }) => outcome === 'applied').map(({ rule }) => rule))).toEqual(new Set(['deduplication-off']))
    expect(fixes.filter(({ outcome }) => outcome !== 'applied')).toEqual([])
    expect((await examine({ rules })).findings).toEqual([])
  })
})
