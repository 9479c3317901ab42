import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BackupManager, type ClickHouseAdapter, createAdapter, createBackupManager } from '@smart-whale/clickhouse'
import { type ManagedClickHouse, startManagedClickHouse } from '../../../services/src/index.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'

const FULL = { damages: 10_000, kills: 40 }
const SHORT = { damages: 300, kills: 4 }
const TOLD_EVERY = 2_000
/** The longest wait before a kill: about what a backup and a restore of the table take. */
const KILL_WITHIN_MS = 250
const ROWS = 20_000

/**
 * Backups, by the server and exported, full and incremental, each damaged at random: one byte of one file, or a file that is missing. And restores and backups whose
 * server is killed at random moments: the table is the one that stood there or the restored one, and what counts as a backup can be restored.
 */
export async function backups(run: FaultRun): Promise<readonly Finding[]> {
  const { damages, kills } = run.isShort ? SHORT : FULL
  const choices = new SeededChoices(run.seed)
  const server = await startManagedClickHouse()
  run.atEnd(() => server.stop())
  const adapter = createAdapter({ url: server.url, user: server.owner.username, password: server.owner.password, requestTimeoutMs: 60_000 })
  run.atEnd(() => adapter.close())
  await adapter.execute("CREATE TABLE rides (id UInt64, at DateTime64(6, 'UTC'), city LowCardinality(String)) ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY id")
  await adapter.execute(`INSERT INTO rides SELECT number, toDateTime64('2001-01-01', 6, 'UTC') + number * 300, toString(number % 50) FROM numbers(${ROWS})`)

  const overlooked = await countOverlooked(run, choices, server, adapter, damages)
  const killed = await killWhileRestoring(run, choices, server, adapter, kills)
  return [
    mustBe('damages: one byte of any file, or a file that is missing', damages, damages),
    mustBe('damages that were overlooked', overlooked, 0),
    mustBe('kill -9 of the server during backups and restores', kills, kills),
    mustBe('of them in the middle of one', killed.inTheMiddle > kills / 3, true),
    mustBe('tables that were neither the old nor the restored one after a kill', killed.torn, 0),
    mustBe('backups that were listed and could not be verified', killed.unsound, 0),
    mustBe('restores that failed when the server was back', killed.notRestored, 0),
    mustBe('tables of dead runs at the end', killed.left, 0),
  ]
}

async function countOverlooked(run: FaultRun, choices: SeededChoices, server: ManagedClickHouse, adapter: ClickHouseAdapter, damages: number): Promise<number> {
  const folders = { native: server.backupPath, exported: join(run.folder, 'exported') }
  const subjects: { readonly manager: BackupManager; readonly file: string; readonly files: readonly string[] }[] = []
  for (const folder of Object.values(folders)) {
    const manager = createBackupManager(adapter, { store: folder, maxFileBytes: 100_000 })
    const base = await manager.createBackup('rides')
    await adapter.execute("INSERT INTO rides VALUES (1000000, '2001-01-05', 'Kiel')")
    const file = await manager.createBackup('rides', undefined, { base })
    subjects.push({ manager, file, files: [...(await filesOf(join(folder, file))), ...(await filesOf(join(folder, base)))] })
  }
  let overlooked = 0
  for (let done = 1; done <= damages; done++) {
    const { manager, file, files } = choices.pick(subjects)
    const path = choices.pick(files)
    const whole = await readFile(path)
    const at = choices.below(whole.length)
    const isRemoved = whole.length === 0 || choices.below(10) === 0
    if (isRemoved) await rm(path)
    else await writeFile(path, whole.with(at, (whole[at] as number) ^ (1 + choices.below(255))))
    const isFound = await manager.verify(file).then(
      ({ ok }) => !ok,
      ({ code }: { code: string }) => code === 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND',
    )
    if (!isFound) {
      overlooked += 1
      run.tell(`overlooked: ${isRemoved ? 'removed' : `byte ${at} of`} ${path}`)
    }
    await writeFile(path, whole)
    if (done % TOLD_EVERY === 0) run.tell(`${done} damages, ${overlooked} overlooked`)
  }
  return overlooked
}

interface KillOutcome {
  inTheMiddle: number
  torn: number
  unsound: number
  notRestored: number
  left: number
}

async function killWhileRestoring(run: FaultRun, choices: SeededChoices, server: ManagedClickHouse, adapter: ClickHouseAdapter, kills: number): Promise<KillOutcome> {
  const outcome: KillOutcome = { inTheMiddle: 0, torn: 0, unsound: 0, notRestored: 0, left: 0 }
  const manager = createBackupManager(adapter, { store: join(server.backupPath, 'kept') })
  const file = await manager.createBackup('rides')
  const restored = await hashOf(adapter)
  for (let kill = 1; kill <= kills; kill++) {
    await adapter.execute("INSERT INTO rides VALUES (2000000, '2001-01-06', 'later')")
    const later = await hashOf(adapter)
    const work = choices.below(3) === 0 ? manager.createBackup('rides') : manager.restoreBackup('rides', file)
    const ended = work.then(
      () => 'done',
      () => 'cut off',
    )
    await new Promise((resolve) => setTimeout(resolve, choices.below(KILL_WITHIN_MS)))
    await server.kill()
    outcome.inTheMiddle += (await ended) === 'cut off' ? 1 : 0
    await server.restart()
    const hash = await hashOf(adapter)
    if (hash !== restored && hash !== later) outcome.torn += 1
    for (const backup of await manager.listBackups()) {
      if (!(await manager.verify(backup.file)).ok) outcome.unsound += 1
      if (backup.file !== file) await manager.deleteBackup(backup.file)
    }
    const isRestored = await manager.restoreBackup('rides', file).catch((error: unknown) => run.tell(`kill ${kill}: ${String(error)}`))
    if (isRestored !== true || (await hashOf(adapter)) !== restored) outcome.notRestored += 1
  }
  // The next backup cleans up after the last ones.
  await manager.createBackup('rides')
  const { rows } = await adapter.execute("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%\\_\\_sw\\_%'")
  outcome.left = rows.length
  return outcome
}

async function hashOf(adapter: ClickHouseAdapter): Promise<string> {
  const { rows } = await adapter.execute<{ hash: string }>('SELECT toString(tuple(count(), sum(cityHash64(id, at, city)))) AS hash FROM rides')
  return rows[0]?.hash ?? ''
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}
