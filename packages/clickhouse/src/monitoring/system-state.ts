import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { ClickHouseBaseError } from '../errors.ts'
import { isGone } from '../doctor/is-gone.ts'

/** How a server is doing, in numbers. A number that can't be seen (no grant, no such table) is missing, and named in `unseen`. */
export interface SystemState {
  readonly parts?: PartsState
  readonly merges?: MergesState
  readonly mutations?: MutationsState
  readonly replicas?: ReplicasState
  readonly disks?: readonly DiskState[]
  readonly queries?: QueriesState
  readonly errors?: ErrorsState
  /** Counters since the server's start, by name: `Query`, `InsertedRows` and the like. */
  readonly events?: Readonly<Record<string, number>>
  /** What could not be seen, and why. */
  readonly unseen: Readonly<Record<string, string>>
}

/** Parts of tables. */
export interface PartsState {
  readonly active: number
  readonly rows: number
  readonly bytes: number
  /** Most active parts of any one partition, and the table that has it. */
  readonly mostInPartition: number
  readonly mostInPartitionTable: string
}

/** Merges that are under way. */
export interface MergesState {
  readonly running: number
  readonly longestSeconds: number
}

/** Mutations that are not done. */
export interface MutationsState {
  readonly pending: number
  readonly failing: number
}

/** Replicas of this server. */
export interface ReplicasState {
  readonly count: number
  readonly readonly: number
  readonly maxDelaySeconds: number
  readonly queue: number
}

/** One disk. */
export interface DiskState {
  readonly name: string
  readonly freeBytes: number
  readonly totalBytes: number
  readonly isBroken: boolean
}

/** Queries that are running, and the memory that they have. */
export interface QueriesState {
  readonly running: number
  readonly longestSeconds: number
  readonly memoryBytes: number
}

/** Errors of the last five minutes. */
export interface ErrorsState {
  readonly kinds: number
  readonly latest: string
}

type Part = Exclude<keyof SystemState, 'unseen'>

interface Question {
  readonly query: string
  read(rows: readonly Row[]): SystemState[Part]
}

const numberIn = (row: Row | undefined, name: string): number => Number(row?.[name] ?? 0)

/** Counters that are exported; all of them would be hundreds of series. */
const EVENTS = ['Query', 'SelectQuery', 'InsertQuery', 'FailedQuery', 'FailedSelectQuery', 'FailedInsertQuery', 'InsertedRows', 'InsertedBytes', 'SelectedRows', 'SelectedBytes', 'MergedRows', 'DelayedInserts', 'RejectedInserts'] as const

const QUESTIONS: Readonly<Record<Part, Question>> = {
  parts: {
    query: `SELECT sum(parts) AS active, sum(rows) AS rows, sum(bytes) AS bytes, max(parts) AS most, argMax(concat(database, '.', table), parts) AS mostTable
      FROM (SELECT database, table, partition_id, count() AS parts, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active GROUP BY database, table, partition_id)`,
    read: ([row]) => ({ active: numberIn(row, 'active'), rows: numberIn(row, 'rows'), bytes: numberIn(row, 'bytes'), mostInPartition: numberIn(row, 'most'), mostInPartitionTable: String(row?.mostTable ?? '') }),
  },
  merges: { query: 'SELECT count() AS running, max(elapsed) AS longest FROM system.merges', read: ([row]) => ({ running: numberIn(row, 'running'), longestSeconds: numberIn(row, 'longest') }) },
  mutations: {
    query: "SELECT countIf(NOT is_done) AS pending, countIf(NOT is_done AND latest_fail_reason != '') AS failing FROM system.mutations WHERE NOT is_killed",
    read: ([row]) => ({ pending: numberIn(row, 'pending'), failing: numberIn(row, 'failing') }),
  },
  replicas: {
    query: 'SELECT count() AS count, countIf(is_readonly OR is_session_expired) AS readonly, max(absolute_delay) AS delay, sum(queue_size) AS queue FROM system.replicas',
    read: ([row]) => ({ count: numberIn(row, 'count'), readonly: numberIn(row, 'readonly'), maxDelaySeconds: numberIn(row, 'delay'), queue: numberIn(row, 'queue') }),
  },
  disks: {
    query: 'SELECT name, toFloat64(free_space) AS free, toFloat64(total_space) AS total, is_broken FROM system.disks ORDER BY name LIMIT 50',
    read: (rows) => rows.map((row) => ({ name: String(row.name), freeBytes: numberIn(row, 'free'), totalBytes: numberIn(row, 'total'), isBroken: numberIn(row, 'is_broken') === 1 })),
  },
  queries: {
    query: 'SELECT count() AS running, max(elapsed) AS longest, sum(memory_usage) AS memory FROM system.processes',
    read: ([row]) => ({ running: numberIn(row, 'running'), longestSeconds: numberIn(row, 'longest'), memoryBytes: numberIn(row, 'memory') }),
  },
  errors: {
    query: 'SELECT count() AS kinds, argMax(name, last_error_time) AS latest FROM system.errors WHERE last_error_time > now() - INTERVAL 5 MINUTE',
    read: ([row]) => ({ kinds: numberIn(row, 'kinds'), latest: String(row?.latest ?? '') }),
  },
  events: {
    query: `SELECT event, toFloat64(value) AS value FROM system.events WHERE event IN (${EVENTS.map((event) => `'${event}'`).join(', ')})`,
    read: (rows) => Object.fromEntries(rows.map((row) => [String(row.event), numberIn(row, 'value')])),
  },
}

/** Reads how the server is doing. @throws ConnectionError when it can't be asked at all */
export async function readSystemState(adapter: ClickHouseAdapter, call: CallOptions = {}): Promise<SystemState> {
  const unseen: Record<string, string> = {}
  const parts = await Promise.all(
    (Object.entries(QUESTIONS) as [Part, Question][]).map(async ([part, { query, read }]) => {
      try {
        return [part, read((await adapter.execute(query, {}, call)).rows)] as const
      } catch (error) {
        if (isGone(error) || !ClickHouseBaseError.isInstance(error)) throw error
        unseen[part] = error.message
        return undefined
      }
    }),
  )
  return { ...Object.fromEntries(parts.filter((part) => part !== undefined)), unseen }
}
