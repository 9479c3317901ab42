import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { applyFixes, type DoctorReport, runDoctor } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
const run = (statement: string): Promise<unknown> => database.owner.execute(statement, {}, { settings: { async_insert: 0, mutations_sync: 0 } })
const examine = (): Promise<DoctorReport> => runDoctor(database.owner, { databases: [database.name], rules: ['left-behind-columns'] })
const column = async (table: string, name: string): Promise<unknown> => (await database.owner.execute('SELECT count() AS n FROM system.parts_columns WHERE active AND database = currentDatabase() AND table = :table AND column = :name', { table, name })).rows[0]?.['n']

/** A table in which an insert has left a column behind. On a busy machine an insert may have ended before the column goes: then a longer one. */
async function leaveBehind(table: string, name: string, type: string): Promise<void> {
  for (const sleepSeconds of [0.02, 0.14]) {
    await run(`CREATE OR REPLACE TABLE ${table} (at DateTime, n UInt32, odd Int8) ENGINE = MergeTree ORDER BY at`)
    await run(`ALTER TABLE ${table} ADD COLUMN ${name} ${type}`)
    let hasEnded = false
    const inserting = run(`INSERT INTO ${table} (at, n) SELECT now(), number FROM numbers(20) WHERE NOT ignore(sleepEachRow(${sleepSeconds}))`).finally(() => (hasEnded = true))
    const isInserting = async () => (await database.owner.execute("SELECT count() AS n FROM system.processes WHERE query LIKE :pattern AND current_database = currentDatabase() AND query_kind = 'Insert'", { pattern: `INSERT INTO ${table} %` })).rows[0]?.['n']
    await vi.waitFor(async () => expect(hasEnded || (await isInserting()) === 1n).toBe(true), { interval: 10, timeout: 60_000 })
    await run(`ALTER TABLE ${table} DROP COLUMN ${name}`)
    await inserting
    if ((await column(table, name.replaceAll('`', ''))) === 1n) return
  }
}

beforeAll(async () => {
  database = await ownDatabase()
  await Promise.all([leaveBehind('plain', 'm', 'LowCardinality(String)'), leaveBehind('failing', '`a name`', 'UInt8')])
  await run('ALTER TABLE failing DELETE WHERE n = 3').catch(() => {})
  // Columns that no table names, of the server's own; and a change that is under way.
  await run('CREATE TABLE sound (n UInt32, gone String, list Nested(a Int8, b String)) ENGINE = MergeTree ORDER BY n SETTINGS enable_block_number_column = 1, enable_block_offset_column = 1')
  await run("INSERT INTO sound (n, gone) SELECT number, 'x' FROM numbers(10)")
  await run('DELETE FROM sound WHERE n = 3')
  await run("UPDATE sound SET gone = 'y' WHERE n = 4")
  await run('SYSTEM STOP MERGES sound')
  for (const change of ['DROP COLUMN gone', 'DROP COLUMN list']) await database.owner.execute(`ALTER TABLE sound ${change}`, {}, { settings: { alter_sync: 0, mutations_sync: 0 } })
})
afterAll(() => database.drop())

describe('a column that was dropped while an insert ran', () => {
  it('is found where a part still has it, and nowhere else', async () => {
    await expect.poll(async () => (await examine()).findings.map(({ severity }) => severity)).toContain('critical')
    // In the part, and in the patch of it.
    expect(await column('sound', 'gone')).toBe(2n)
    expect(await column('sound', 'list.a')).toBe(1n)

    const { findings, unseen } = await examine()

    expect(unseen).toEqual([])
    expect(findings).toMatchObject([
      { severity: 'critical', object: `${database.name}.failing.a name`, reason: expect.stringMatching(/^1 parts of 20 rows .* fails by it.*UNKNOWN_IDENTIFIER/) as string, figures: { parts: 1, rows: 20 } },
      { severity: 'warning', object: `${database.name}.plain.m`, fixes: [{ sql: `ALTER TABLE \`${database.name}\`.\`plain\` ADD COLUMN \`m\` LowCardinality(String), DROP COLUMN \`m\`` }] },
    ])
  })

  it('is gone after the fix, and what failed by it is done', async () => {
    const { findings } = await examine()

    const applied = await applyFixes(database.owner, findings, { withCaution: true })

    expect(applied.map(({ outcome }) => outcome)).toEqual(['applied', 'applied'])
    await expect.poll(async () => [await column('plain', 'm'), await column('failing', 'a name')]).toEqual([0n, 0n])
    await expect.poll(async () => (await database.owner.execute('SELECT count() AS n FROM failing')).rows).toEqual([{ n: 19n }])
    await run('ALTER TABLE plain DELETE WHERE n = 3 SETTINGS mutations_sync = 1')
    expect((await database.owner.execute('SELECT count() AS n FROM plain')).rows).toEqual([{ n: 19n }])
    expect((await examine()).findings).toEqual([])
  })

  it('that the table has again by then is left alone by the fix', async () => {
    await leaveBehind('again', 'm', 'UInt8')
    const { findings } = await examine()
    await run('ALTER TABLE again ADD COLUMN m UInt8')

    const applied = await applyFixes(database.owner, findings, { withCaution: true })

    expect(applied).toMatchObject([{ outcome: 'failed', error: expect.stringContaining('already exists') as string }])
    expect((await examine()).findings).toEqual([])
    expect((await database.owner.execute('SELECT count(m) AS n FROM again')).rows).toEqual([{ n: 20n }])
  })

  it('is nothing that a user who may not look is told of', async () => {
    const { unseen } = await runDoctor(database.reader, { databases: [database.name], rules: ['left-behind-columns'] })

    expect(unseen).toMatchObject([{ rule: 'left-behind-columns' }])
  })
})
