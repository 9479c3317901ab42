import { abortedError, type CallOptions, type Clock, type Logger } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { BackupError } from '../operational-errors.ts'
import { nameBackup, readBackupName } from './backup-names.ts'
import type { BackupProgress } from './backup-options.ts'
import type { BackupStore } from './backup-store.ts'
import type { MethodChoice } from './choose-method.ts'
import { type BackupManifest, type ManifestFile, type ManifestPartition, renderManifest } from './manifest.ts'
import { differenceBetween } from './restore-table.ts'
import { takeSnapshot } from './snapshot.ts'
import { contentOf, partitionIdOf, type PartitionContent, requireTable, type TableFacts } from './table-facts.ts'
import { viewsOver } from './table-views.ts'
import { checksumOf, MANIFEST } from './verify-backup.ts'
import { afterwards, dropTable, findLeftTables, WorkTables } from './work-tables.ts'

/** What a copy is made with. */
export interface TableCopy {
  readonly adapter: ClickHouseAdapter
  readonly store: BackupStore
  readonly methods: MethodChoice
  readonly clock: Clock
  readonly logger: Logger
  /** Runs that began before this moment are over, wherever they ran. */
  readonly oldestMs: number
  readonly onProgress: (progress: BackupProgress) => void
  readonly call: CallOptions
}

/** How often a table without snapshots may change under a copy. */
const ATTEMPTS = 3

/** Copies a table, or a partition of it, into the store. Until the manifest is written, at the very end, it is no backup and is listed nowhere. */
export async function copyTable(copy: TableCopy, table: string, partition: string | null, base: BackupManifest | null): Promise<BackupManifest> {
  const { adapter, store, clock, call } = copy
  const facts = await requireTable(adapter, table, call)
  const partitionId = partition === null ? null : await partitionIdOf(adapter, facts, partition, call)
  await cleanUp(copy, facts)
  const backup = nameBackup(facts, partitionId, clock.now())
  try {
    const content = await copyAtOneMoment(copy, facts, partitionId, base, backup)
    const manifest = await describe(copy, facts, partitionId, base, backup, content)
    await store.write(`${backup}/${MANIFEST}`, oneChunk(renderManifest(manifest)), call)
    copy.onProgress({ step: 'done', done: 1, total: 1 })
    return manifest
  } catch (error) {
    await store.remove(`${backup}/`, afterwards(call)).catch((failure: unknown) => copy.logger.warn({ err: failure, backup }, 'what a failed backup wrote could not be removed; a later one does so'))
    throw error
  }
}

interface CopiedContent {
  readonly partitions: readonly ManifestPartition[]
  readonly method: BackupManifest['method']
}

async function copyAtOneMoment(copy: TableCopy, facts: TableFacts, partition: string | null, base: BackupManifest | null, backup: string): Promise<CopiedContent> {
  const work = new WorkTables(facts.database, facts.name, copy.clock)
  try {
    copy.onProgress({ step: 'snapshot', done: 0, total: 1 })
    const snapshot = await takeSnapshot(copy.adapter, facts, partition, work, copy.call)
    for (let attempt = 1; ; attempt++) {
      const copied = await copyRows(copy, facts, snapshot ?? facts, partition, base, backup)
      const isStill = snapshot !== null || differenceBetween(copied.partitions, await contentOf(copy.adapter, facts, partition, copy.call)) === null
      if (isStill) return copied
      if (attempt === ATTEMPTS) throw changing(facts)
      await copy.store.remove(`${backup}/`, copy.call)
    }
  } finally {
    await dropTable(copy.adapter, work.nameOf('backup'), afterwards(copy.call)).catch((error: unknown) => copy.logger.warn({ err: error }, 'a snapshot could not be dropped; a later backup does so'))
    work.end()
  }
}

async function copyRows(copy: TableCopy, table: TableFacts, source: TableFacts, partition: string | null, base: BackupManifest | null, backup: string): Promise<CopiedContent> {
  const { adapter, methods, onProgress, call } = copy
  onProgress({ step: 'hash', done: 0, total: 1 })
  const content = await contentOf(adapter, source, partition, call)
  const method = await methods.forNew(table, base, call)
  const partitions = content.map((one) => ({ ...one, inBase: isUnchanged(one, table, base, method.methodFor(table)) }))
  let files = 0
  onProgress({ step: 'copy', done: 0, total: 0 })
  const own = partitions.filter(({ inBase }) => !inBase).map(({ id }) => id)
  await method.copyOut({ backup, table, source, partition, partitions: own, base, onFile: () => onProgress({ step: 'copy', done: ++files, total: 0 }), call })
  return { partitions, method: method.methodFor(table) }
}

/** Only an export leaves partitions out; a native backup finds equal files in its base by itself. */
function isUnchanged({ id, rows, contentHash }: PartitionContent, table: TableFacts, base: BackupManifest | null, method: BackupManifest['method']): boolean {
  if (base === null || method === 'native' || base.method !== method) return false
  const sameColumns = JSON.stringify(base.columns) === JSON.stringify(table.columns)
  return sameColumns && base.partitions.some((other) => other.id === id && other.rows === rows && other.contentHash === contentHash)
}

async function describe(copy: TableCopy, facts: TableFacts, partition: string | null, base: BackupManifest | null, backup: string, { partitions, method }: CopiedContent): Promise<BackupManifest> {
  const { rows: version } = await copy.adapter.execute<{ version: string }>('SELECT version() AS version', {}, copy.call)
  return {
    format: 1,
    name: backup,
    database: facts.database,
    table: facts.name,
    partition,
    createdAt: (readBackupName(backup)?.createdAt ?? new Date(copy.clock.now())).toISOString(),
    serverVersion: version[0]?.version ?? '',
    engine: facts.engine,
    definition: facts.definition,
    columns: facts.columns,
    method,
    base: base?.name ?? null,
    rows: String(partitions.reduce((sum, one) => sum + BigInt(one.rows), 0n)),
    partitions,
    files: await checksums(copy, backup),
    dependents: facts.dependents,
    views: await viewsOver(copy.adapter, facts, copy.call),
  }
}

async function checksums({ store, onProgress, call }: TableCopy, backup: string): Promise<ManifestFile[]> {
  const stored = (await store.list(`${backup}/`, call)).sort((one, other) => (one.name < other.name ? -1 : 1))
  const files: ManifestFile[] = []
  for (const { name } of stored) {
    if (call.signal?.aborted) throw abortedError('the backup', call.signal)
    onProgress({ step: 'checksums', done: files.length, total: stored.length })
    files.push({ name: name.slice(backup.length + 1), ...(await checksumOf(store, name, call)) })
  }
  return files
}

/** Snapshots and unfinished backups of runs that are dead. */
async function cleanUp({ adapter, store, oldestMs, logger, call }: TableCopy, facts: TableFacts): Promise<void> {
  const left = (await findLeftTables(adapter, facts, oldestMs, call)).filter(({ purpose }) => purpose === 'backup')
  for (const table of left) await dropTable(adapter, table, call)
  const files = await store.list('', call)
  const finished = new Set(files.filter(({ name }) => name.endsWith(`/${MANIFEST}`)).map(({ name }) => name.split('/')[0]))
  for (const folder of new Set(files.map(({ name }) => name.split('/')[0] ?? ''))) {
    const name = readBackupName(folder)
    if (name === null || finished.has(folder) || name.createdAt.getTime() >= oldestMs) continue
    logger.info({ backup: folder }, 'what an interrupted backup left is removed')
    await store.remove(`${folder}/`, call)
  }
}

async function* oneChunk(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text)
}

function changing({ name }: TableFacts): BackupError {
  return new BackupError(`table "${name}" changed while it was copied, ${ATTEMPTS} times; its engine has no snapshots: back it up when nobody writes to it`, {
    code: 'ERR_CLICKHOUSE_BACKUP_CHANGING',
    status: 409,
    retryable: true,
    context: { table: name },
  })
}
