import { randomBytes } from 'node:crypto'
import type { TableFacts } from './table-facts.ts'

/** What a backup's name tells. */
export interface BackupName {
  readonly database: string
  readonly table: string
  readonly partition: string | null
  readonly createdAt: Date
}

/** `database.table.20010131T120000000Z.1a2b3c4d`, or with the partition's id before the time; safe as a folder's name and as a key. */
export function nameBackup({ database, name }: Pick<TableFacts, 'database' | 'name'>, partition: string | null, nowMs: number): string {
  const time = new Date(nowMs).toISOString().replace(/[-:.]/g, '')
  return [database, name, ...(partition === null ? [] : [partition]), time, randomBytes(4).toString('hex')].map(escapePart).join('.')
}

/** Null for a name that {@link nameBackup} doesn't give. */
export function readBackupName(backup: string): BackupName | null {
  const parts = /^([^.]+)\.([^.]+)(?:\.([^.]+))?\.(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.[0-9a-f]{8}$/.exec(backup)
  if (parts === null) return null
  const [, database = '', table = '', partition, year, month, day, hour, minute, second, millisecond] = parts
  return {
    database: decodeURIComponent(database),
    table: decodeURIComponent(table),
    partition: partition === undefined ? null : decodeURIComponent(partition),
    createdAt: new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${millisecond}Z`),
  }
}

function escapePart(part: string): string {
  return [...Buffer.from(part)].map((byte) => (/[\w-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)).join('')
}
