import type { CallOptions, HealthProbe, HealthResult, HealthStatus } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { count, percent } from '../doctor/rule.ts'
import { readSystemState, type SystemState } from './system-state.ts'

/** From when on a server is degraded, or down. */
export interface HealthLimits {
  /** Active parts of one partition that are too many. @default 1_000 */
  partsOfPartition: number
  /** Share of free space below which a disk makes the server degraded; below a third of it, down. @default 0.1 */
  freeDiskShare: number
  /** Delay of a replica, in seconds. @default 300 */
  replicaDelaySeconds: number
  /** Mutations that wait. @default 100 */
  pendingMutations: number
}

/** What a {@link HealthCheck} may be told. */
export interface HealthCheckOptions {
  /** How long an answer may take, in milliseconds. @default 5_000 */
  timeoutMs?: number | undefined
  /** When the system is not well. @default see {@link HealthLimits} */
  limits?: Partial<HealthLimits> | undefined
}

const DEFAULT_LIMITS: HealthLimits = { partsOfPartition: 1000, freeDiskShare: 0.1, replicaDelaySeconds: 300, pendingMutations: 100 }
const TIMEOUT_MS = 5000

/** Tells whether a server answers, and whether it is well. Never throws. */
export class HealthCheck {
  readonly #adapter: ClickHouseAdapter
  readonly #timeoutMs: number
  readonly #limits: HealthLimits

  constructor(adapter: ClickHouseAdapter, { timeoutMs = TIMEOUT_MS, limits = {} }: HealthCheckOptions = {}) {
    this.#adapter = adapter
    this.#timeoutMs = timeoutMs
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
  }

  /** Whether the server answers this user. */
  async checkDatabaseConnection(call: CallOptions = {}): Promise<HealthResult> {
    return this.#adapter.healthCheck({ timeoutMs: this.#timeoutMs, ...call })
  }

  /** Whether parts, mutations, replicas and disks are well. What can't be seen is named, and makes nothing worse. */
  async checkSystemHealth(call: CallOptions = {}): Promise<HealthResult> {
    try {
      return judgeSystem(await readSystemState(this.#adapter, { timeoutMs: this.#timeoutMs, ...call }), this.#limits)
    } catch (error) {
      return { status: 'down', detail: error instanceof Error ? error.message : String(error) }
    }
  }

  /** Both as probes, for whoever asks for readiness: a server that is not well still answers, so only the first is critical. */
  probes(): HealthProbe[] {
    return [
      { name: 'clickhouse', check: ({ signal }) => this.checkDatabaseConnection({ signal }) },
      { name: 'clickhouse-system', critical: false, check: ({ signal }) => this.checkSystemHealth({ signal }) },
    ]
  }
}

interface Complaint {
  readonly status: HealthStatus
  readonly text: string
}

/** What a state comes to. */
export function judgeSystem(state: SystemState, limits: HealthLimits = DEFAULT_LIMITS): HealthResult {
  const complaints = [...partsComplaints(state, limits), ...replicaComplaints(state, limits), ...diskComplaints(state, limits)]
  const unseen = Object.keys(state.unseen)
  const detail = [...complaints.map(({ text }) => text), ...(unseen.length > 0 ? [`can't see ${unseen.join(', ')}`] : [])].join('; ')
  const status: HealthStatus = complaints.some((complaint) => complaint.status === 'down') ? 'down' : complaints.length > 0 ? 'degraded' : 'up'
  const { events: _events, ...data } = state
  return { status, ...(detail === '' ? {} : { detail }), data }
}

function partsComplaints({ parts, mutations }: SystemState, limits: HealthLimits): Complaint[] {
  const complaints: Complaint[] = []
  if (parts !== undefined && parts.mostInPartition >= limits.partsOfPartition)
    complaints.push({ status: 'degraded', text: `${parts.mostInPartitionTable} has a partition of ${count(parts.mostInPartition)} parts: merges don't keep up` })
  if (mutations !== undefined && mutations.failing > 0) complaints.push({ status: 'degraded', text: `${count(mutations.failing)} mutations fail again and again` })
  if (mutations !== undefined && mutations.pending >= limits.pendingMutations) complaints.push({ status: 'degraded', text: `${count(mutations.pending)} mutations wait` })
  return complaints
}

function replicaComplaints({ replicas }: SystemState, limits: HealthLimits): Complaint[] {
  if (replicas === undefined || replicas.count === 0) return []
  const complaints: Complaint[] = []
  if (replicas.readonly > 0)
    complaints.push({ status: replicas.readonly === replicas.count ? 'down' : 'degraded', text: `${count(replicas.readonly)} of ${count(replicas.count)} replicated tables refuse inserts: their session with Keeper is gone` })
  if (replicas.maxDelaySeconds >= limits.replicaDelaySeconds) complaints.push({ status: 'degraded', text: `a replica is ${count(replicas.maxDelaySeconds)} s behind` })
  return complaints
}

function diskComplaints({ disks = [] }: SystemState, limits: HealthLimits): Complaint[] {
  return disks.flatMap(({ name, freeBytes, totalBytes, isBroken }): Complaint[] => {
    if (isBroken) return [{ status: 'down', text: `disk ${name} is broken` }]
    const share = totalBytes === 0 ? 1 : freeBytes / totalBytes
    if (share >= limits.freeDiskShare) return []
    return [{ status: share < limits.freeDiskShare / 3 ? 'down' : 'degraded', text: `disk ${name} has ${percent(share)} free` }]
  })
}
