import { createBackupManager } from '../../backup/backup-manager.ts'
import type { BackupManager, BackupProgress } from '../../backup/backup-options.ts'
import { asJson, type Command, type CommandCall, EXIT, tableText, textOf } from '../command.ts'

const OPTIONS = { store: { type: 'string' } } as const
const HELP = "  --store FOLDER     where backups lie (CLICKHOUSE_BACKUP_FOLDER, else 'clickhouse-backups')"

async function withManager(call: CommandCall, work: (manager: BackupManager) => Promise<number>): Promise<number> {
  const manager = createBackupManager(call.adapter, { store: textOf(call, 'store'), timeoutMs: call.timeoutMs })
  try {
    return await work(manager)
  } finally {
    await manager.close()
  }
}

/** One line a step, not one a file. */
function progressOf(call: CommandCall): (progress: BackupProgress) => void {
  let last = ''
  return ({ step, total }) => {
    if (step !== last) call.progress(`… ${step}${total > 0 ? ` (${total})` : ''}`)
    last = step
  }
}

/** Makes one. */
export const backupCreate: Command = {
  name: 'backup create',
  summary: 'Backs a table up, or one partition of it',
  usage: 'TABLE [PARTITION] [--base NAME|latest] [--store FOLDER]',
  help: `${HELP}\n  --base NAME        stores only what has changed since this backup, or since the latest full one`,
  exits: {},
  options: { ...OPTIONS, base: { type: 'string' } },
  positionals: { least: 1, most: 2 },
  run: (call) =>
    withManager(call, async (manager) => {
      const [table = '', partition] = call.positionals
      const file = await manager.createBackup(table, partition, { base: textOf(call, 'base'), signal: call.signal, onProgress: progressOf(call) })
      call.print(call.json ? asJson({ file }) : file)
      return EXIT.ok
    }),
}

/** Puts one back. */
export const backupRestore: Command = {
  name: 'backup restore',
  summary: 'Puts a table back as a backup has it: checked first, restored beside it, then swapped',
  usage: 'TABLE BACKUP [--views] [--store FOLDER]',
  help: `${HELP}\n  --views            makes views over the table that are missing, also where the table still stands`,
  exits: {},
  options: { ...OPTIONS, views: { type: 'boolean' } },
  positionals: { least: 2, most: 2 },
  run: (call) =>
    withManager(call, async (manager) => {
      const [table = '', file = ''] = call.positionals
      await manager.restoreBackup(table, file, { views: call.values.views === true ? true : undefined, signal: call.signal, onProgress: progressOf(call), onWarning: call.progress })
      if (call.json) call.print(asJson({ table, file, restored: true }))
      return EXIT.ok
    }),
}

/** Lists. */
export const backupList: Command = {
  name: 'backup list',
  summary: 'Lists backups, newest first',
  usage: '[TABLE] [--store FOLDER]',
  help: HELP,
  exits: { [EXIT.found]: 'one of them is damaged or can not be read' },
  options: OPTIONS,
  positionals: { least: 0, most: 1 },
  run: (call) =>
    withManager(call, async (manager) => {
      const backups = await manager.listBackups(call.positionals[0], { signal: call.signal })
      if (call.json) call.print(asJson({ backups }))
      else call.print(tableText(['backup', 'table', 'partition', 'kind', 'rows', 'bytes', 'made', 'state'], backups.map((each) => [each.file, each.table, each.partition, each.kind, each.rows, each.bytes, each.createdAt.toISOString(), each.state])))
      return backups.some(({ state }) => state !== 'complete') ? EXIT.found : EXIT.ok
    }),
}

/** Checks. */
export const backupVerify: Command = {
  name: 'backup verify',
  summary: 'Reads every file of a backup and compares it with its checksum',
  usage: 'BACKUP [--store FOLDER]',
  help: HELP,
  exits: { [EXIT.found]: 'a file is damaged, missing or not of the backup' },
  options: OPTIONS,
  positionals: { least: 1, most: 1 },
  run: (call) =>
    withManager(call, async (manager) => {
      const { manifest: _manifest, ...verification } = await manager.verify(call.positionals[0] ?? '', { signal: call.signal, onProgress: progressOf(call) })
      if (call.json) call.print(asJson(verification))
      else for (const line of [...verification.faults.map(({ backup, file, fault }) => `${fault}  ${backup}/${file}`), `${verification.files} files, ${verification.bytes} bytes, ${verification.faults.length} faults`]) call.print(line)
      return verification.ok ? EXIT.ok : EXIT.found
    }),
}

/** Removes. */
export const backupDelete: Command = {
  name: 'backup delete',
  summary: 'Removes a backup on which no other is based',
  usage: 'BACKUP [--store FOLDER]',
  help: HELP,
  exits: {},
  options: OPTIONS,
  positionals: { least: 1, most: 1 },
  run: (call) =>
    withManager(call, async (manager) => {
      await manager.deleteBackup(call.positionals[0] ?? '', { signal: call.signal })
      return EXIT.ok
    }),
}
