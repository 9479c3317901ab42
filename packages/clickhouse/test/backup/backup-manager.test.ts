import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BackupError } from '../../src/index.ts'
import { type BackupWorld, backupWorld, rowsOf } from './backup-world.ts'

let world: BackupWorld
beforeAll(async () => void (world = await backupWorld()))
afterAll(() => world.close())

/** Three months, by day. */
async function makeTable(name: string, engine = 'MergeTree'): Promise<void> {
  await world.adapter.execute(`CREATE TABLE ${name} (id UInt64, at DateTime64(6), value Nullable(Float64), word LowCardinality(String)) ENGINE = ${engine} PARTITION BY toYYYYMM(at) ORDER BY id`)
  await world.adapter.execute(`INSERT INTO ${name} SELECT number, toDateTime64('2001-01-01', 6) + number * 7200.000001, if(number % 7 = 0, NULL, number / 3), toString(number % 5) FROM numbers(1000)`)
}

describe.each([
  { method: 'by the server', native: true, kind: 'native' },
  { method: 'exported', native: false, kind: 'Parquet' },
])('backups made $method', ({ native, kind }) => {
  const suffix = native ? 'n' : 'e'

  it('bring a table back as it was, whatever became of it', async () => {
    const table = `plain_${suffix}`
    await makeTable(table)
    const before = await rowsOf(world.adapter, table)
    const manager = world.manager(native)

    const file = await manager.createBackup(table)
    await world.adapter.execute(`DROP TABLE ${table} SYNC`)
    await expect(manager.restoreBackup(table, file)).resolves.toBe(true)

    expect(await rowsOf(world.adapter, table)).toBe(before)
    const { ok, manifest } = await manager.verify(file)
    expect({ ok, method: manifest?.method, rows: manifest?.rows, partitions: manifest?.partitions.length }).toEqual({ ok: true, method: kind, rows: '1000', partitions: 3 })
    await world.adapter.execute(`INSERT INTO ${table} SELECT 5000, now64(), 1, 'new'`)
    await manager.restoreBackup(table, file)
    expect(await rowsOf(world.adapter, table)).toBe(before)
  })

  it('of a partition are based on backups of this partition', async () => {
    const table = `days_${suffix}`
    await world.adapter.execute(`CREATE TABLE ${table} (id UInt64, day Date) ENGINE = MergeTree PARTITION BY day ORDER BY id`)
    await world.adapter.execute(`INSERT INTO ${table} SELECT number, toDate('2001-01-01') + number % 2 FROM numbers(100)`)
    const manager = world.manager(native)
    const whole = await manager.createBackup(table)
    const full = await manager.createBackup(table, '2001-01-02')

    const file = await manager.createBackup(table, '2001-01-02', { base: 'latest' })

    expect((await manager.listBackups(table)).find((backup) => backup.file === file)).toMatchObject({ partition: '20010102', base: full, rows: 50n })
    await expect(manager.createBackup(table, '2001-01-01', { base: full })).rejects.toThrow('has to be of the same table and partition')
    await expect(manager.createBackup(table, '2001-01-02', { base: file })).rejects.toThrow('is based on another one itself')
    await expect(manager.createBackup(table, '2001-01-02', { base: whole })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP' })
  })

  it('of a partition replace this partition and nothing else', async () => {
    const table = `parted_${suffix}`
    await makeTable(table)
    const before = await rowsOf(world.adapter, table)
    const manager = world.manager(native)

    const file = await manager.createBackup(table, '200102')
    await world.adapter.execute(`ALTER TABLE ${table} DELETE WHERE toYYYYMM(at) = 200102 AND id % 2 = 0 SETTINGS mutations_sync = 2`)
    await world.adapter.execute(`INSERT INTO ${table} SELECT 7777, toDateTime64('2001-03-01', 6), 1, 'stays'`)
    await manager.restoreBackup(table, file)

    const { rows } = await world.adapter.execute(`SELECT id FROM ${table} WHERE word = 'stays'`)
    expect(rows).toEqual([{ id: 7777n }])
    await world.adapter.execute(`DELETE FROM ${table} WHERE id = 7777`)
    expect(await rowsOf(world.adapter, table)).toBe(before)
    expect((await manager.listBackups(table)).map(({ partition, rows: count }) => ({ partition, count }))).toEqual([{ partition: '200102', count: 336n }])
  })

  it('store only what changed since their base, and need it', async () => {
    const table = `grown_${suffix}`
    await makeTable(table)
    const manager = world.manager(native)
    const full = await manager.createBackup(table, undefined, { base: 'latest' })
    await world.adapter.execute(`INSERT INTO ${table} SELECT 9000 + number, toDateTime64('2001-03-01', 6), number, 'new' FROM numbers(10)`)
    const before = await rowsOf(world.adapter, table)

    const file = await manager.createBackup(table, undefined, { base: 'latest' })

    const [newest, base] = await manager.listBackups(table)
    expect(newest).toMatchObject({ file, kind: 'incremental', base: full, rows: 1010n })
    expect(base).toMatchObject({ file: full, kind: 'full', base: null })
    expect(newest?.bytes).toBeLessThan((base?.bytes ?? 0) * 0.7)
    await expect(manager.deleteBackup(full)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_IN_USE' })
    await world.adapter.execute(`TRUNCATE TABLE ${table}`)
    await manager.restoreBackup(table, file)
    expect(await rowsOf(world.adapter, table)).toBe(before)
    await manager.deleteBackup(file)
    await manager.deleteBackup(full)
    expect(await manager.listBackups(table)).toEqual([])
  })

  it('hold rows that a merge would drop or replace', async () => {
    const table = `versions_${suffix}`
    await makeTable(table, 'ReplacingMergeTree')
    await world.adapter.execute(`DELETE FROM ${table} WHERE id = 500`)
    await world.adapter.execute(`SYSTEM STOP MERGES ${table}`)
    await world.adapter.execute(`INSERT INTO ${table} SELECT number, toDateTime64('2001-01-01', 6), 1, 'newer' FROM numbers(100)`)
    const manager = world.manager(native)

    const file = await manager.createBackup(table)
    await manager.restoreBackup(`${table}_again`, file)

    const { rows } = await world.adapter.execute(`SELECT count() AS n FROM ${table}_again FINAL`)
    expect(rows).toEqual([{ n: 999n }])
    expect((await manager.verify(file)).manifest?.rows).toBe('1099')
  })

  it('of a table without partitions and merges, and of an empty one', async () => {
    await world.adapter.execute(`CREATE TABLE notes_${suffix} (id UInt8, note String) ENGINE = Memory`)
    await world.adapter.execute(`INSERT INTO notes_${suffix} SELECT number, 'note' FROM numbers(100)`)
    await world.adapter.execute(`CREATE TABLE empty_${suffix} (id UInt8) ENGINE = MergeTree ORDER BY id`)
    const before = await rowsOf(world.adapter, `notes_${suffix}`)
    const manager = world.manager(native)

    const notes = await manager.createBackup(`notes_${suffix}`)
    const empty = await manager.createBackup(`empty_${suffix}`)
    await world.adapter.execute(`DROP TABLE notes_${suffix}`)
    await world.adapter.execute(`DROP TABLE empty_${suffix}`)
    await manager.restoreBackup(`notes_${suffix}`, notes)
    await manager.restoreBackup(`empty_${suffix}`, empty)

    expect(await rowsOf(world.adapter, `notes_${suffix}`)).toBe(before)
    expect(await rowsOf(world.adapter, `empty_${suffix}`)).toBe('[]')
  })

  it('that a caller gives up, at any step, leave the table as it was and nothing of their own', async () => {
    const table = `given_up_${suffix}`
    await makeTable(table)
    const manager = world.manager(native)
    const file = await manager.createBackup(table)
    await world.adapter.execute(`INSERT INTO ${table} SELECT 5000, now64(), 1, 'new'`)
    const before = await rowsOf(world.adapter, table)

    for (const step of ['snapshot', 'hash', 'copy', 'checksums', 'restore', 'compare']) {
      const leaving = new AbortController()
      const options = { signal: leaving.signal, onProgress: (progress: { step: string }) => void (progress.step === step && leaving.abort()) }
      const work = ['restore', 'compare'].includes(step) ? manager.restoreBackup(table, file, options) : manager.createBackup(table, undefined, options)
      await expect(work).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    }

    expect(await rowsOf(world.adapter, table)).toBe(before)
    expect(await manager.listBackups(table)).toHaveLength(1)
  })

  it('leave no tables of their own behind', async () => {
    const { rows } = await world.adapter.execute("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%\\_\\_sw\\_%'")
    expect(rows).toEqual([])
  })
})

describe.each(['Memory', 'Log', 'TinyLog', 'StripeLog'])('an exported table of the engine %s', (engine) => {
  it.each([
    ['Parquet', 'String'],
    ['Native', 'SimpleAggregateFunction(max, String), state AggregateFunction(max, UInt64)'],
  ])('lies in files that can be held in memory, as %s, and has its rows in their order', async (kind, types) => {
    const table = `pieces_${engine}_${kind}`
    await world.adapter.execute(`CREATE TABLE ${table} (id UInt64, note ${types}) ENGINE = ${engine}`)
    const state = kind === 'Native' ? ', arrayReduce(\'maxState\', [number])' : ''
    for (const begin of [70_000, 0]) await world.adapter.execute(`INSERT INTO ${table} SELECT number + ${begin}, randomPrintableASCII(20) ${state} FROM numbers(30000)`)
    const manager = world.manager(false, { maxFileBytes: 200_000 })
    const inOrder = async (name: string): Promise<string> => JSON.stringify((await world.adapter.execute(`SELECT id, note FROM ${name}`, {}, { settings: { max_threads: 1 } })).rows.map(({ id, note }) => [String(id), note]))

    const file = await manager.createBackup(table)
    await manager.restoreBackup(`${table}_again`, file)

    const { manifest } = await manager.verify(file)
    expect(manifest?.method).toBe(kind)
    expect(manifest?.files.length).toBeGreaterThan(8)
    expect(Math.max(...(manifest?.files ?? []).map(({ bytes }) => bytes))).toBeLessThan(300_000)
    expect(await inOrder(`${table}_again`)).toBe(await inOrder(table))
  })
})

describe('a restore', () => {
  it('warns of views that it leaves as they are, and of rows that go', async () => {
    await makeTable('watched')
    await world.adapter.execute('CREATE MATERIALIZED VIEW watched_words ENGINE = SummingMergeTree ORDER BY word AS SELECT word, count() AS n FROM watched GROUP BY word')
    const manager = world.manager(true)
    const file = await manager.createBackup('watched')
    const warnings: string[] = []

    await manager.restoreBackup('watched', file, { onWarning: (warning) => void warnings.push(warning) })

    expect(warnings).toEqual([expect.stringContaining('watched_words'), expect.stringContaining('has 1000 rows')])
    await world.adapter.execute("INSERT INTO watched SELECT 1, now64(), 1, 'after'")
    const { rows } = await world.adapter.execute('SELECT word FROM watched_words')
    expect(rows).toEqual([{ word: 'after' }])
  })

  it('makes the views over a table that is lost with it: plain ones, also over each other, and those that it fills', async () => {
    await makeTable('lost')
    await world.adapter.execute('CREATE TABLE lost_days (day Date, n UInt64) ENGINE = SummingMergeTree ORDER BY day')
    await world.adapter.execute('CREATE MATERIALIZED VIEW lost_by_day TO lost_days AS SELECT toDate(at) AS day, count() AS n FROM lost GROUP BY day')
    await world.adapter.execute('CREATE MATERIALIZED VIEW lost_words ENGINE = SummingMergeTree ORDER BY word AS SELECT word, count() AS n FROM lost GROUP BY word')
    await world.adapter.execute('CREATE VIEW lost_z AS SELECT id, word FROM lost WHERE value IS NULL')
    await world.adapter.execute('CREATE VIEW lost_a AS SELECT count() AS n FROM lost_z')
    const manager = world.manager(true)
    const file = await manager.createBackup('lost')
    const views = ['lost_by_day', 'lost_words', 'lost_z', 'lost_a']
    for (const name of [...views, 'lost']) await world.adapter.execute(`DROP TABLE ${name} SYNC`)
    const warnings: string[] = []

    await manager.restoreBackup('lost_copy', file)
    const { rows: copies } = await world.adapter.execute("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'lost%' AND engine LIKE '%View'")
    await manager.restoreBackup('lost', file, { onWarning: (warning) => void warnings.push(warning) })

    expect(copies).toEqual([])
    expect(warnings).toEqual([expect.stringContaining('lost_by_day" is missing and made again'), expect.stringContaining('lost_words" is missing and made again')])
    await world.adapter.execute("INSERT INTO lost SELECT 5000, toDateTime64('2001-01-01', 6), NULL, 'after'")
    const answers = await world.adapter.executeMany(['SELECT n FROM lost_days', 'SELECT word FROM lost_words', 'SELECT n FROM lost_a'])
    expect(answers.map(({ rows }) => rows)).toEqual([[{ n: 1n }], [{ word: 'after' }], [{ n: 144n }]])
  })

  it('makes views with parameters again, also under a plain view and with values that read like places', async () => {
    await makeTable('asked')
    await world.adapter.execute("CREATE VIEW asked_by AS SELECT id, word FROM asked WHERE word = {word:String} AND id < {most:UInt64} AND word != ':word {word:String} $1'")
    await world.adapter.execute("CREATE VIEW asked_few AS SELECT count() AS n FROM asked_by(word = '1', most = 100)")
    const manager = world.manager(true)
    const file = await manager.createBackup('asked')
    const definition = async (): Promise<unknown> => (await world.adapter.execute("SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'asked_by'")).rows
    const wanted = await definition()
    for (const name of ['asked_few', 'asked_by', 'asked']) await world.adapter.execute(`DROP TABLE ${name} SYNC`)
    const warnings: string[] = []

    await manager.restoreBackup('asked', file, { onWarning: (warning) => void warnings.push(warning) })

    expect(warnings).toEqual([])
    expect(await definition()).toEqual(wanted)
    const [after, few] = await world.adapter.executeMany([['SELECT count() AS n FROM asked_by(word = {w:String}, most = 1000)', { w: '1' }], 'SELECT n FROM asked_few'])
    expect([after?.rows, few?.rows]).toEqual([[{ n: 200n }], [{ n: 20n }]])
  })

  it('leaves a view alone that was dropped while its table stands, unless told otherwise, and says which it could not make', async () => {
    await makeTable('kept')
    await world.adapter.execute('CREATE TABLE kept_sums (word String, n UInt64) ENGINE = SummingMergeTree ORDER BY word')
    await world.adapter.execute('CREATE MATERIALIZED VIEW kept_old TO kept_sums AS SELECT word, count() AS n FROM kept GROUP BY word')
    const manager = world.manager(true)
    const file = await manager.createBackup('kept')
    await world.adapter.execute('DROP TABLE kept_old SYNC')
    const names = async (): Promise<unknown[]> => (await world.adapter.execute("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'kept%' ORDER BY name")).rows.map(({ name }) => name)
    const restored = async (views?: boolean): Promise<string[]> => {
      const warnings: string[] = []
      await manager.restoreBackup('kept', file, { views, onWarning: (warning) => void warnings.push(warning) })
      return warnings
    }

    expect(await restored()).toEqual([expect.stringContaining('kept_old" was over "kept"'), expect.stringContaining('has 1000 rows')])
    expect(await names()).toEqual(['kept', 'kept_sums'])
    expect(await restored(true)).toEqual([expect.stringContaining('kept_old" is missing and made again'), expect.any(String)])
    expect(await names()).toEqual(['kept', 'kept_old', 'kept_sums'])

    for (const name of ['kept_old', 'kept_sums', 'kept']) await world.adapter.execute(`DROP TABLE ${name} SYNC`)
    expect(await restored()).toEqual([expect.any(String), expect.stringMatching(/kept_old" could not be made again: .*; make it by its statement: CREATE MATERIALIZED VIEW/)])
    expect(await names()).toEqual(['kept'])
  })

  it('refuses what is no backup, and a table that is none', async () => {
    const manager = world.manager(true)
    await world.adapter.execute('CREATE VIEW seen AS SELECT 1 AS one')

    await expect(manager.restoreBackup('plain_n', '../../etc')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND', status: 404 })
    await expect(manager.createBackup('seen')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_TABLE' })
    await expect(manager.createBackup('nowhere')).rejects.toSatisfy(BackupError.isInstance)
    await expect(manager.createBackup('plain_n', '209912')).rejects.toThrow('has no partition "209912"')
  })
})
