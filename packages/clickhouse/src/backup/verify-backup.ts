import { createHash } from 'node:crypto'
import { abortedError, type CallOptions } from '@smart-whale/interfaces'
import { BackupError } from '../operational-errors.ts'
import type { BackupCallOptions, BackupFault, BackupVerification } from './backup-options.ts'
import type { BackupStore, StoredFile } from './backup-store.ts'
import { type BackupManifest, type ManifestFile, parseManifest } from './manifest.ts'

/** The file that makes a folder of files a backup: it is written last. */
export const MANIFEST = 'manifest.json'

/** No manifest is that large; something else that has its name isn't read. */
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024

/** What reading a backup may be told. */
export type ReadOptions = Pick<BackupCallOptions, 'signal' | 'timeoutMs' | 'onProgress'>

/** @throws BackupError `ERR_CLICKHOUSE_BACKUP_NOT_FOUND`, `ERR_CLICKHOUSE_BACKUP_DAMAGED` */
export async function readManifest(store: BackupStore, backup: string, call: CallOptions = {}): Promise<BackupManifest> {
  checkBackupName(backup)
  const [found] = (await store.list(`${backup}/${MANIFEST}`, call)).filter(({ name }) => name === `${backup}/${MANIFEST}`)
  if (found === undefined) throw notFound(backup)
  return readListedManifest(store, backup, found, call)
}

/** As {@link readManifest}, when its file was listed. */
export async function readListedManifest(store: BackupStore, backup: string, { name, bytes }: StoredFile, call: CallOptions): Promise<BackupManifest> {
  checkBackupName(backup)
  if (bytes > MAX_MANIFEST_BYTES) throw notFound(backup)
  return parseManifest((await readWhole(store, name, call)).toString('utf8'), backup)
}

/** A name that a backup can have leads to its own folder and nowhere else. */
function checkBackupName(backup: string): void {
  if (!/^[\w%-][\w%.-]*$/.test(backup)) throw notFound(backup)
}

function notFound(backup: string): BackupError {
  return new BackupError(`there is no backup "${backup.slice(0, 200)}", or it was never finished; listBackups tells which there are`, {
    code: 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND',
    status: 404,
    context: { backup },
  })
}

/** A file that is held in memory whole. */
export async function readWhole(store: BackupStore, path: string, call: CallOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.read(path, call)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A file's length and SHA-256, read with bounded memory. */
export async function checksumOf(store: BackupStore, path: string, call: CallOptions): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const sum = createHash('sha256')
  let bytes = 0
  for await (const chunk of store.read(path, call)) {
    sum.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: sum.digest('hex') }
}

/** Reads every file of a backup and of its base, and compares it with what the manifest says. */
export async function verifyBackup(store: BackupStore, backup: string, options: ReadOptions = {}): Promise<BackupVerification> {
  let manifest: BackupManifest
  try {
    manifest = await readManifest(store, backup, callOf(options))
  } catch (error) {
    if (!isDamage(error)) throw error
    return { file: backup, ok: false, faults: [{ backup, file: MANIFEST, fault: 'damaged' }], files: 0, bytes: 0, manifest: null }
  }
  const own = await findFaults(store, manifest, manifest.files, options)
  const base = manifest.base === null ? [] : await baseFaults(store, manifest.base, options)
  const faults = [...own, ...base]
  return { file: backup, ok: faults.length === 0, faults, files: manifest.files.length, bytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0), manifest }
}

/** @throws BackupError `ERR_CLICKHOUSE_BACKUP_DAMAGED` naming what is wrong */
export async function requireSound(store: BackupStore, backup: string, options: ReadOptions = {}): Promise<BackupManifest> {
  const { faults, manifest } = await verifyBackup(store, backup, options)
  if (manifest !== null && faults.length === 0) return manifest
  const [first] = faults
  const others = faults.length > 1 ? ` and ${faults.length - 1} more` : ''
  throw new BackupError(`backup "${backup}" can't be used: ${first?.backup}/${first?.file} is ${first?.fault}${others}`, {
    code: 'ERR_CLICKHOUSE_BACKUP_DAMAGED',
    context: { backup, faults: faults.slice(0, 100) },
  })
}

async function baseFaults(store: BackupStore, base: string, options: ReadOptions): Promise<readonly BackupFault[]> {
  try {
    return (await verifyBackup(store, base, options)).faults
  } catch (error) {
    if (BackupError.isInstance(error) && error.code === 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND') return [{ backup: base, file: MANIFEST, fault: 'missing' }]
    throw error
  }
}

async function findFaults(store: BackupStore, manifest: BackupManifest, files: readonly ManifestFile[], options: ReadOptions): Promise<BackupFault[]> {
  const { signal, onProgress } = options
  const stored = new Map((await store.list(`${manifest.name}/`, callOf(options))).map((file) => [file.name, file]))
  const faults: BackupFault[] = []
  for (const [index, file] of files.entries()) {
    if (signal?.aborted) throw abortedError('reading a backup', signal)
    onProgress?.({ step: 'checksums', done: index, total: files.length })
    const path = `${manifest.name}/${file.name}`
    const fault = await faultOf(store, path, file, stored.get(path), callOf(options))
    if (fault !== null) faults.push({ backup: manifest.name, file: file.name, fault })
    stored.delete(path)
  }
  stored.delete(`${manifest.name}/${MANIFEST}`)
  // The server would restore what it finds, also what was put there later.
  for (const name of stored.keys()) faults.push({ backup: manifest.name, file: name.slice(manifest.name.length + 1), fault: 'unexpected' })
  return faults
}

async function faultOf(store: BackupStore, path: string, file: ManifestFile, stored: StoredFile | undefined, call: CallOptions): Promise<BackupFault['fault'] | null> {
  if (stored === undefined) return 'missing'
  if (stored.bytes !== file.bytes) return 'damaged'
  return (await checksumOf(store, path, call)).sha256 === file.sha256 ? null : 'damaged'
}

const callOf = ({ signal, timeoutMs }: ReadOptions): CallOptions => ({ signal, timeoutMs })

function isDamage(error: unknown): boolean {
  return BackupError.isInstance(error) && error.code === 'ERR_CLICKHOUSE_BACKUP_DAMAGED'
}
