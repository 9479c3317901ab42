import type { CallOptions } from '@smart-whale/interfaces'
import type { TimescaleStorage } from '../timescale-storage.ts'

/** What the database knows of one applied migration. */
export interface AppliedMigration {
  readonly id: string
  readonly description: string
  readonly checksum: string
  readonly appliedAt: Date
}

type Executor = Pick<TimescaleStorage, 'execute'>

/** What was applied so far; nothing on a database that was never migrated. */
export async function readApplied(executor: Executor, table: string, call: CallOptions): Promise<Map<string, AppliedMigration>> {
  const [found] = await executor.execute<{ there: boolean }>('select to_regclass($1) is not null as there', [table], call)
  if (!found?.there) return new Map()
  const rows = await executor.execute<{ id: string; description: string; checksum: string; applied_at: Date }>(
    `select id, description, checksum, applied_at from ${table} order by id`,
    [],
    call,
  )
  return new Map(rows.map(({ id, description, checksum, applied_at: appliedAt }) => [id, { id, description, checksum, appliedAt }]))
}

/** Makes the table; under the lock, because two `create table if not exists` at once can fail. */
export async function createMigrationTable(executor: Executor, table: string, call: CallOptions): Promise<void> {
  await executor.execute(
    `create table if not exists ${table} (
  id text primary key,
  description text not null,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp(),
  applied_by text not null default current_user,
  duration_ms integer not null
)`,
    [],
    call,
  )
}

/** One migration at a time in this database; the lock ends with the transaction, so a pooler in between does no harm. */
export async function lockMigrations(executor: Executor, table: string, lockTimeoutMs: number, call: CallOptions): Promise<void> {
  await executor.execute(`select set_config('lock_timeout', $1, true)`, [`${lockTimeoutMs}ms`], call)
  await executor.execute('select pg_advisory_xact_lock(hashtextextended($1, 0))::text', [`smart_whale.migrations:${table}`], call)
}
