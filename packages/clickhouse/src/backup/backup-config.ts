/** What backups take from the environment: the folder that they lie in. */
export function backupFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return environment['CLICKHOUSE_BACKUP_FOLDER'] || 'clickhouse-backups'
}
