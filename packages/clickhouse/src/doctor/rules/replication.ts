import { count, found, rowRule, tableOf } from '../rule.ts'

interface ReplicaRow {
  database: string
  table: string
  is_readonly: number
  is_session_expired: number
  absolute_delay: number
  queue_size: number
  total_replicas: number
  active_replicas: number
  lost_part_count: number
  zookeeper_exception: string
}

const read = <T>(where: string) => ({ ask, inScope }: { ask: <R extends Record<string, unknown>>(query: string) => Promise<R[]>; inScope(column: string): string }): Promise<T[]> =>
  ask(
    `SELECT database, table, is_readonly, is_session_expired, absolute_delay, queue_size, total_replicas, active_replicas, lost_part_count, zookeeper_exception
    FROM system.replicas WHERE ${inScope('database')} AND (${where}) ORDER BY absolute_delay DESC LIMIT 100`,
  ) as Promise<T[]>

/** Replicas that take no inserts. */
export const readonlyReplicas = rowRule<ReplicaRow & Record<string, unknown>>({
  name: 'readonly-replicas',
  summary: 'replicas that refuse inserts, because they lost their session with Keeper',
  read: read('is_readonly OR is_session_expired'),
  judge: (rows) =>
    rows
      .filter(({ is_readonly, is_session_expired }) => Number(is_readonly) === 1 || Number(is_session_expired) === 1)
      .map((row) =>
        found('critical', `${row.database}.${row.table}`, `the replica refuses inserts: ${row.zookeeper_exception === '' ? 'its session with Keeper is gone' : row.zookeeper_exception.slice(0, 200)}`, {
          figures: { queue: Number(row.queue_size) },
          fixes: [{ sql: `SYSTEM RESTART REPLICA ${tableOf(row)}` }],
          advice: 'see first that Keeper answers; when its metadata are lost, SYSTEM RESTORE REPLICA makes them again from the parts',
        }),
      ),
})

/** Replicas that are behind. */
export const replicationLag = rowRule<ReplicaRow & Record<string, unknown>>({
  name: 'replication-lag',
  summary: 'replicas that are behind the others',
  read: (look) => read<ReplicaRow & Record<string, unknown>>(`absolute_delay >= ${Number(look.thresholds.replicaDelaySeconds)}`)(look),
  judge: (rows, { replicaDelaySeconds }) =>
    rows
      .filter(({ absolute_delay }) => Number(absolute_delay) >= replicaDelaySeconds)
      .map((row) =>
        found(Number(row.absolute_delay) >= 10 * replicaDelaySeconds ? 'critical' : 'warning', `${row.database}.${row.table}`, `the replica is ${count(row.absolute_delay)} s behind, with ${count(row.queue_size)} entries in its queue`, {
          figures: { delaySeconds: Number(row.absolute_delay), queue: Number(row.queue_size) },
          fixes: [{ sql: `SYSTEM SYNC REPLICA ${tableOf(row)} LIGHTWEIGHT`, caution: 'waits until the replica has caught up' }],
          advice: 'system.replication_queue tells what it waits for (last_exception, postpone_reason)',
        }),
      ),
})

/** Tables of which a replica is away, or parts are lost. */
export const missingReplicas = rowRule<ReplicaRow & Record<string, unknown>>({
  name: 'missing-replicas',
  summary: 'tables of which a replica is away, or parts are lost on all of them',
  read: read('active_replicas < total_replicas OR lost_part_count > 0'),
  judge: (rows) =>
    rows
      .filter(({ active_replicas, total_replicas, lost_part_count }) => Number(active_replicas) < Number(total_replicas) || Number(lost_part_count) > 0)
      .map((row) => {
        const lost = Number(row.lost_part_count)
        const away = `${count(row.active_replicas)} of ${count(row.total_replicas)} replicas are there`
        return found(lost > 0 ? 'critical' : 'warning', `${row.database}.${row.table}`, lost > 0 ? `${count(lost)} parts are lost on every replica; ${away}` : away, {
          figures: { active: Number(row.active_replicas), total: Number(row.total_replicas), lostParts: lost },
          advice: 'a replica that will not come back has to be told to the others: SYSTEM DROP REPLICA \'name\' FROM TABLE …',
        })
      }),
})
