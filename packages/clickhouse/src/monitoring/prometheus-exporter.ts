import type { GaugeMetric, MetricDefinition, MetricsSink } from '@smart-whale/interfaces'
import type { SystemState } from './system-state.ts'

/** More disks than these are left out: each is a series. */
const MOST_DISKS = 20

const gauge = (name: string, help: string, labelNames: readonly string[] = []): MetricDefinition => ({ name: `smart_whale_clickhouse_${name}`, help, labelNames })

const GAUGES = {
  up: gauge('up', 'Whether the server answered when it was last looked at.'),
  parts: gauge('parts', 'Active parts of all tables.'),
  rows: gauge('table_rows', 'Rows of all tables.'),
  bytes: gauge('table_bytes', 'Size of all tables on disk.'),
  mostParts: gauge('partition_parts_max', 'Most active parts of any one partition; inserts are refused when it reaches parts_to_throw_insert.'),
  merges: gauge('merges_running', 'Merges under way.'),
  mutationsPending: gauge('mutations_pending', 'Mutations that are not done.'),
  mutationsFailing: gauge('mutations_failing', 'Mutations that fail again and again.'),
  replicas: gauge('replicas', 'Replicated tables of the server.'),
  replicasReadonly: gauge('replicas_readonly', 'Replicated tables that refuse inserts.'),
  replicaDelay: gauge('replica_delay_seconds', 'Longest delay of a replica.'),
  replicaQueue: gauge('replica_queue', 'Entries in the queues of replicas.'),
  diskFree: gauge('disk_free_bytes', 'Free space of a disk.', ['disk']),
  diskTotal: gauge('disk_total_bytes', 'Size of a disk.', ['disk']),
  queries: gauge('queries_running', 'Queries under way.'),
  longestQuery: gauge('query_longest_seconds', 'Age of the oldest query under way.'),
  queryMemory: gauge('query_memory_bytes', 'Memory of the queries under way.'),
  errors: gauge('error_kinds_recent', 'Kinds of errors in the last five minutes.'),
  events: gauge('events_total', "The server's own counters since its start, by name.", ['event']),
  collectSeconds: gauge('collect_duration_seconds', 'How long it took to look.'),
} as const

/** Puts a server's state into gauges; labels are disks and the names of a dozen counters. */
export class PrometheusExporter {
  readonly #gauges: Readonly<Record<keyof typeof GAUGES, GaugeMetric>>

  constructor(metrics: MetricsSink) {
    const entries = Object.entries(GAUGES).map(([name, definition]) => [name, metrics.gauge(definition)])
    this.#gauges = Object.fromEntries(entries) as Record<keyof typeof GAUGES, GaugeMetric>
  }

  /** Sets what the state tells. What it does not tell keeps its last value. */
  updateMetrics(state: SystemState, durationMs?: number): void {
    this.#set('up', 1)
    if (durationMs !== undefined) this.#set('collectSeconds', durationMs / 1000)
    const { parts, merges, mutations, replicas, disks = [], queries, errors, events = {} } = state
    this.#set('parts', parts?.active)
    this.#set('rows', parts?.rows)
    this.#set('bytes', parts?.bytes)
    this.#set('mostParts', parts?.mostInPartition)
    this.#set('merges', merges?.running)
    this.#set('mutationsPending', mutations?.pending)
    this.#set('mutationsFailing', mutations?.failing)
    this.#set('replicas', replicas?.count)
    this.#set('replicasReadonly', replicas?.readonly)
    this.#set('replicaDelay', replicas?.maxDelaySeconds)
    this.#set('replicaQueue', replicas?.queue)
    this.#set('queries', queries?.running)
    this.#set('longestQuery', queries?.longestSeconds)
    this.#set('queryMemory', queries?.memoryBytes)
    this.#set('errors', errors?.kinds)
    for (const { name, freeBytes, totalBytes } of disks.slice(0, MOST_DISKS)) {
      this.#gauges.diskFree.set({ disk: name }, freeBytes)
      this.#gauges.diskTotal.set({ disk: name }, totalBytes)
    }
    for (const [event, value] of Object.entries(events)) this.#gauges.events.set({ event }, value)
  }

  /** Tells that the server did not answer. */
  markDown(): void {
    this.#set('up', 0)
  }

  #set(name: keyof typeof GAUGES, value: number | undefined): void {
    if (value !== undefined) this.#gauges[name].set({}, value)
  }
}
