import { hash, randomUUID } from 'node:crypto'
import { type CallOptions, type Clock, systemClock, toWire, ValidationError, type ValidationIssue } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { createAdapter } from '../create-adapter.ts'
import { createTable } from '../storage/create-table.ts'
import type { TableInvalidation } from '../stream-processor/stream-options.ts'

/** Something that happened. */
export interface SystemEvent {
  /** What kind of thing, e.g. `backup.created`. */
  readonly type: string
  /** When. @default now */
  readonly timestamp?: Date | undefined
  /** How grave. @default 'info' */
  readonly severity?: 'debug' | 'info' | 'warning' | 'error' | undefined
  /** Which part of the system says so. @default '' */
  readonly source?: string | undefined
  /** For people. @default '' */
  readonly message?: string | undefined
  /** Whatever else there is to know; kept as JSON. @default {} */
  readonly data?: Readonly<Record<string, unknown>> | undefined
  /** The same id is kept once. @default a random UUID */
  readonly id?: string | undefined
}

/** What an {@link EventLogger} is made from. */
export interface EventLoggerOptions {
  /** Where events go. @default 'system_events' */
  table?: string | undefined
  /** How long events are kept, in days; `null` keeps them for good. Counts when the table is made. @default 90 */
  keepDays?: number | null | undefined
  /** Hears that the table was written to; an `AnalyticsService` fits. @default nobody */
  invalidates?: TableInvalidation | undefined
  /** Whose time events without one have. @default systemClock */
  clock?: Clock | undefined
}

const SEVERITIES = ['debug', 'info', 'warning', 'error']

/** Writes events to a table of their own, `system_events`: for dashboards, and for whoever wants to know later. */
export class EventLogger {
  readonly #adapter: ClickHouseAdapter
  readonly #ownsAdapter: boolean
  readonly #table: string
  readonly #keepDays: number | null
  readonly #options: EventLoggerOptions
  #ready: Promise<void> | null = null

  /** Without an adapter it makes one of its own, by the `CLICKHOUSE_*` variables; `close` closes it. */
  constructor(adapter?: ClickHouseAdapter, options: EventLoggerOptions = {}) {
    this.#adapter = adapter ?? createAdapter({}, { clock: options.clock })
    this.#ownsAdapter = adapter === undefined
    this.#table = options.table ?? 'system_events'
    this.#keepDays = options.keepDays === undefined ? 90 : options.keepDays
    this.#options = options
  }

  /**
   * Stores events, all of them or none. Answers how many. Sent again with the same ids after a failure, they are kept once.
   * @throws ValidationError that names each event which is none
   */
  async logEvents(events: readonly SystemEvent[], options: CallOptions = {}): Promise<number> {
    check(events)
    if (events.length === 0) return 0
    await this.#prepare(options)
    const now = new Date((this.#options.clock ?? systemClock).now())
    const rows = events.map(({ type, timestamp = now, severity = 'info', source = '', message = '', data = {}, id = randomUUID() }) => ({ id, timestamp, type, severity, source, message, data: JSON.stringify(toWire(data)) }))
    const token = `events-${hash('sha256', rows.map(({ id }) => id).join('\0'), 'hex')}`
    await this.#adapter.insert(this.#table, rows, { ...options, token })
    await this.#options.invalidates?.invalidateTables([this.#table])
    return rows.length
  }

  /** Closes an adapter that the logger made itself. May be called twice. */
  async close(): Promise<void> {
    if (this.#ownsAdapter) await this.#adapter.close()
  }

  /** Once; a table that is there stays as it is. */
  #prepare(options: CallOptions): Promise<void> {
    this.#ready ??= this.#createTable(options).catch((error: unknown) => {
      this.#ready = null
      throw error
    })
    return this.#ready
  }

  async #createTable(options: CallOptions): Promise<void> {
    const columns = {
      id: 'String',
      timestamp: "DateTime64(3, 'UTC')",
      type: 'LowCardinality(String)',
      severity: 'LowCardinality(String)',
      source: 'LowCardinality(String)',
      message: 'String',
      data: 'String',
    }
    const existing = await this.#adapter.execute<{ exists: number }>('SELECT count() AS exists FROM system.tables WHERE database = currentDatabase() AND name = :table', { table: this.#table }, options)
    await createTable(this.#adapter, this.#table, { columns, primaryKey: ['timestamp', 'type'] }, { ...options, partitionBy: 'toYYYYMM(timestamp)' })
    const isNew = Number(existing.rows[0]?.exists) === 0
    if (isNew && this.#keepDays !== null) await this.#adapter.execute(`ALTER TABLE \`${this.#table.replace(/[\\`]/g, '\\$&')}\` MODIFY TTL toDateTime(timestamp) + toIntervalDay(${Math.ceil(this.#keepDays)})`, {}, options)
  }
}

function check(events: readonly SystemEvent[]): void {
  const issues: ValidationIssue[] = []
  for (const [index, event] of (Array.isArray(events) ? events : []).entries()) {
    if (typeof event?.type !== 'string' || event.type === '') issues.push({ path: [index, 'type'], message: `must be a non-empty text, got ${typeof event?.type}` })
    if (event?.severity !== undefined && !SEVERITIES.includes(event.severity)) issues.push({ path: [index, 'severity'], message: `must be one of ${SEVERITIES.join(', ')}` })
    if (event?.timestamp !== undefined && !(event.timestamp instanceof Date && !Number.isNaN(event.timestamp.getTime()))) issues.push({ path: [index, 'timestamp'], message: 'must be a Date' })
  }
  if (!Array.isArray(events)) issues.push({ path: [], message: `must be a list of events, got ${typeof events}` })
  const [first] = issues
  if (first !== undefined) throw new ValidationError(`events.${first.path.join('.')} ${first.message}`, { issues })
}
