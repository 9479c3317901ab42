import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConnectionError, systemClock } from '@smart-whale/interfaces'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BackupManager, type ClickHouseAdapter, QueryError } from '../../src/index.ts'
import { WorkTables } from '../../src/backup/work-tables.ts'
import { type BackupWorld, backupWorld, rowsOf } from './backup-world.ts'

let world: BackupWorld
beforeAll(async () => void (world = await backupWorld()))
afterAll(() => world.close())

async function makeTable(name: string, rows: number): Promise<void> {
  await world.adapter.execute(`CREATE TABLE ${name} (id UInt64, word String) ENGINE = MergeTree ORDER BY id`)
  await world.adapter.execute(`INSERT INTO ${name} SELECT number, toString(number * 7) FROM numbers(${rows})`)
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** An adapter whose process dies before its nth statement that changes something; for the server that is the same as after the one before it. */
function dyingAt(step: number, adapter: ClickHouseAdapter = world.adapter): { readonly adapter: ClickHouseAdapter; died(): boolean } {
  let steps = 0
  let isDead = false
  const execute: ClickHouseAdapter['execute'] = async (query, params, options) => {
    if (!isDead && (/^\s*SELECT/.test(query) || steps++ < step)) return adapter.execute(query, params, options)
    isDead = true
    throw new ConnectionError('died here')
  }
  return { adapter: withExecute(adapter, execute), died: () => isDead }
}

/** The adapter with another way to carry statements out. */
function withExecute(adapter: ClickHouseAdapter, execute: ClickHouseAdapter['execute']): ClickHouseAdapter {
  return Object.create(adapter, { execute: { value: execute }, download: { value: adapter.download.bind(adapter) }, database: { value: adapter.database } }) as ClickHouseAdapter
}

describe.each([{ native: true }, { native: false }])('a backup that is damaged (by the server: $native)', ({ native }) => {
  let manager: BackupManager
  let file: string
  let base: string
  const folder = (): string => (native ? world.nativeFolder : world.exportFolder)
  const table = `damaged_${native}`
  beforeAll(async () => {
    await makeTable(table, 500)
    manager = world.manager(native)
    base = await manager.createBackup(table)
    await world.adapter.execute(`INSERT INTO ${table} SELECT number * 2, 'more' FROM numbers(10)`)
    file = await manager.createBackup(table, undefined, { base })
  })

  it('in one byte of any file, its own or its base’s, is found out, and not restored', async () => {
    const before = await rowsOf(world.adapter, table)
    const files = [...(await filesOf(join(folder(), file))), ...(await filesOf(join(folder(), base)))]
    for (const path of files) {
      const whole = await readFile(path)
      if (whole.length === 0) continue
      await fc.assert(
        fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
          const other = Buffer.from(whole)
          other[at] = (other[at] ?? 0) ^ change
          await writeFile(path, other)
          const { ok, faults } = await manager.verify(file)
          expect(ok).toBe(false)
          expect(faults).toHaveLength(1)
          expect(path.endsWith(`${faults[0]?.backup}/${faults[0]?.file}`)).toBe(true)
        }),
        { numRuns: 1 },
      )
      if (path === files[0]) await expect(manager.restoreBackup(table, file)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_DAMAGED' })
      await writeFile(path, whole)
    }
    expect((await manager.verify(file)).ok).toBe(true)
    expect(await rowsOf(world.adapter, table)).toBe(before)
  })

  it('by a file that is missing, or one too many, is found out', async () => {
    for (const path of await filesOf(join(folder(), file))) {
      const whole = await readFile(path)
      await rm(path)
      const found = await manager.verify(file).catch((error: { code: string }) => ({ ok: false, code: error.code }))
      expect(found.ok).toBe(false)
      await writeFile(path, whole)
    }
    const extra = join(folder(), file, 'data', 'more')
    await writeFile(extra, '')
    expect((await manager.verify(file)).faults).toEqual([{ backup: file, file: 'data/more', fault: 'unexpected' }])
    await rm(extra)
    await expect(manager.createBackup(table, undefined, { base: `${base}x` })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND' })
    expect((await manager.verify(file)).ok).toBe(true)
  })
})

describe.each([
  { way: 'at one stroke', refuse: false, from: 0 },
  // What comes before the swap is the same.
  { way: 'by two renames', refuse: true, from: 4 },
])('a restore that swaps $way', ({ refuse, from }) => {
  it('and is cut off at any of its statements leaves the table as it was or as it is to be, and is gone on with', async () => {
    const table = `cut_${refuse}`
    await makeTable(table, 100)
    const manager = world.manager(true)
    const file = await manager.createBackup(table)
    const restored = await rowsOf(world.adapter, table)
    await world.adapter.execute(`INSERT INTO ${table} SELECT 1000, 'later'`)
    const later = await rowsOf(world.adapter, table)
    const adapter = refuse ? withoutExchange(world.adapter) : world.adapter

    let step = from
    for (let finished = false; !finished; step++) {
      const dying = dyingAt(step, adapter)
      const outcome = await world.manager(true, {}, dying.adapter).restoreBackup(table, file).catch(() => false)
      finished = !dying.died()
      expect([restored, later]).toContain(await rowsOf(world.adapter, table))
      if (outcome !== true) await world.manager(true, {}, adapter).restoreBackup(table, file)
      expect(await rowsOf(world.adapter, table)).toBe(restored)
      await world.adapter.execute(`INSERT INTO ${table} SELECT 1000, 'later'`)
    }

    expect(step).toBeGreaterThan(5)
    const { rows } = await world.adapter.execute(`SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, '${table}__')`)
    expect(rows).toEqual([])
  })
})

it('a restore that was cut off between two renames is undone by the next one, before it begins', async () => {
  await makeTable('aside', 100)
  const manager = world.manager(true)
  const file = await manager.createBackup('aside')
  await world.adapter.execute("INSERT INTO aside SELECT 1000, 'later'")
  const later = await rowsOf(world.adapter, 'aside')
  // As the first of two renames leaves it when the process ends there.
  const dead = new WorkTables(world.database.name, 'aside', systemClock)
  await world.adapter.execute(`RENAME TABLE aside TO ${dead.nameOf('replaced').name}`)
  dead.end()

  const dying = dyingAt(1)
  await expect(world.manager(true, {}, dying.adapter).restoreBackup('aside', file)).rejects.toThrow('died here')
  expect(await rowsOf(world.adapter, 'aside')).toBe(later)
  await manager.restoreBackup('aside', file)
  expect(await rowsOf(world.adapter, 'aside')).not.toBe(later)
})

it('a backup that is cut off at any of its statements is none, and leaves nothing to the next one', async () => {
  await makeTable('cut_backup', 100)
  const before = await rowsOf(world.adapter, 'cut_backup')
  let step = 0
  for (let finished = false; !finished; step++) {
    const dying = dyingAt(step)
    await world.manager(true, {}, dying.adapter).createBackup('cut_backup').catch(() => {})
    finished = !dying.died()
    const backups = await world.manager(true).listBackups('cut_backup')
    for (const { file } of backups) expect((await world.manager(true).verify(file)).ok).toBe(true)
  }
  await world.manager(true).createBackup('cut_backup')
  expect(await rowsOf(world.adapter, 'cut_backup')).toBe(before)
  const { rows } = await world.adapter.execute("SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'cut_backup__')")
  expect(rows).toEqual([])
})

/** As a database answers that can't exchange tables. */
function withoutExchange(adapter: ClickHouseAdapter): ClickHouseAdapter {
  const execute: ClickHouseAdapter['execute'] = async (query, params, options) => {
    if (query.startsWith('EXCHANGE')) throw new QueryError('this database can not exchange tables', { code: 'ERR_CLICKHOUSE_UNSUPPORTED', serverCode: 48 })
    return adapter.execute(query, params, options)
  }
  return withExecute(adapter, execute)
}
