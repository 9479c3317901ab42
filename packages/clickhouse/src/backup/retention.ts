import type { BackupInfo, BackupRetention } from './backup-options.ts'

/**
 * Which of a table's backups a retention lets go, those that are based on others first. Counted by partition: a backup of one partition replaces no backup of the table.
 * Damaged ones don't count and are left for somebody to look at.
 */
export function backupsToDelete(backups: readonly BackupInfo[], { keep, maxAgeMs }: BackupRetention, nowMs: number): BackupInfo[] {
  if (keep === undefined && maxAgeMs === undefined) return []
  const complete = backups.filter(({ state }) => state === 'complete').sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime())
  const places = new Map<string, number>()
  const kept = new Set<string>()
  const goes = complete.filter((backup) => {
    const group = `${backup.table}\0${backup.partition ?? ''}`
    const place = places.get(group) ?? 0
    places.set(group, place + 1)
    const isOut = place > 0 && (keep === undefined || place >= keep) && (maxAgeMs === undefined || nowMs - backup.createdAt.getTime() > maxAgeMs)
    if (!isOut) kept.add(backup.file).add(backup.base ?? backup.file)
    return isOut
  })
  return goes.filter(({ file }) => !kept.has(file)).sort((one, other) => Number(one.base === null) - Number(other.base === null))
}
