import type { AuditEntry, AuditStore, ChainHead } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName } from './quote-name.ts'

/** What {@link createAuditTable} is made from. */
export interface AuditTableOptions {
  /** Of a user who may create the table and insert into it, and nothing else: no ALTER, no DELETE, no DROP. @default none, required */
  adapter: ClickHouseAdapter
  /** Its name. @default 'audit_log' */
  table?: string | undefined
}

/** Rows come back as they were written: details are kept as the JSON that the hash was taken of. */
interface AuditRow extends Record<string, unknown> {
  sequence: bigint
  at: string
  actor: string
  action: string
  resource: string | null
  outcome: AuditEntry['outcome']
  details: string | null
  previous: string
  hash: string
}

const START: ChainHead = { sequence: 0, hash: '0'.repeat(64) }

/** A chain of audit entries in a ClickHouse table, made when it is not there. One process may write at a time. */
export function createAuditTable({ adapter, table = 'audit_log' }: AuditTableOptions): AuditStore {
  const name = table.split('.').map(quoteName).join('.')
  const read = (order: string): string => `SELECT sequence, at, actor, action, resource, outcome, details, previous, hash FROM ${name} ORDER BY ${order}`
  return {
    async open() {
      await adapter.execute(`CREATE TABLE IF NOT EXISTS ${name} (
        sequence UInt64, at String, actor String, action LowCardinality(String), resource Nullable(String), outcome LowCardinality(String),
        details Nullable(String), previous FixedString(64), hash FixedString(64)
      ) ENGINE = MergeTree ORDER BY sequence SETTINGS non_replicated_deduplication_window = 1000`)
      const { rows } = await adapter.execute<AuditRow>(`${read('sequence DESC')} LIMIT 1`)
      return rows[0] === undefined ? START : { sequence: Number(rows[0].sequence), hash: rows[0].hash }
    },
    async append(entries) {
      const first = entries[0]
      if (first === undefined) return
      const rows = entries.map(({ resource = null, details, ...entry }) => ({ ...entry, resource, details: details === undefined ? null : JSON.stringify(details) }))
      // The hash of the first one stands for all that come with it: what is sent again is stored once.
      await adapter.insert(table, rows, { token: first.hash })
    },
    async *read() {
      for await (const row of adapter.stream<AuditRow>(read('sequence, at'))) yield entryOf(row)
    },
    close: async () => {},
  }
}

function entryOf({ sequence, resource, details, ...row }: AuditRow): AuditEntry | { readonly broken: string } {
  try {
    return {
      ...row,
      sequence: Number(sequence),
      ...(resource === null ? {} : { resource }),
      ...(details === null ? {} : { details: JSON.parse(details) as Record<string, unknown> }),
    }
  } catch {
    return { broken: 'has details that are no JSON' }
  }
}
