import { type AuditEvent, type AuditSink, type AuditStore, type AuditVerification, type ChainHead, type Clock, InfrastructureError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { SecurityError } from '../operational-errors.ts'
import { auditLogPath } from './access-config.ts'
import { createAuditTable } from './audit-table.ts'
import { loadSecurity } from './security-peer.ts'

/** What {@link createAuditLogger} is made from. */
export interface AuditLoggerOptions {
  /** File that the log is written to; null writes none. @default the one that `AUDIT_LOG_FILE` names, or none with an `adapter` */
  path?: string | null | undefined
  /** Bytes after which the file is full and the chain goes on in another. @default the audit log's: 104_857_600 */
  maxFileBytes?: number | undefined
  /** Writes the log into a ClickHouse table, too, or instead. @default none */
  adapter?: ClickHouseAdapter | undefined
  /** The table's name. @default 'audit_log' */
  table?: string | undefined
  /** Further stores. @default [] */
  stores?: readonly AuditStore[] | undefined
  /** Secret of 32 bytes or more that the chain is made with. Without it, who may write the log could write another one that fits together. @default none */
  key?: Uint8Array | undefined
  /** Source of the time. @default systemClock */
  clock?: Clock | undefined
}

/** Something that somebody did. */
export interface LoggedEvent {
  readonly username: string
  readonly action: string
  /** `denied` when it was not allowed, `failure` when it went wrong. */
  readonly status: AuditEvent['outcome']
  readonly details?: Readonly<Record<string, unknown>> | undefined
  readonly sourceIp?: string | undefined
  readonly resource?: string | undefined
}

/** Something that matters for security. */
export interface SecurityEvent extends Omit<LoggedEvent, 'status'> {
  /** @default 'denied' */
  readonly status?: AuditEvent['outcome'] | undefined
  /** How bad it is. @default 'warning' */
  readonly severity?: 'info' | 'warning' | 'critical' | undefined
}

/** Writes down who did what, in a chain that shows every later change. */
export interface AuditLogger extends AuditSink {
  /** Resolves when the event is on disk, and in the table. @throws SecurityError `ERR_CLICKHOUSE_AUDIT` when it isn't */
  logEvent(event: LoggedEvent): Promise<void>
  /** As {@link logEvent}, marked as one that matters for security. */
  logSecurityEvent(event: SecurityEvent): Promise<void>
  /** The file; null when there is none. */
  getAuditLogPath(): string | null
  /** Goes through the whole log: what was changed, removed or cut off stands in `faults`. @param known an earlier {@link head} */
  verify(known?: ChainHead): Promise<AuditVerification>
  /** Where the chain stands. Kept elsewhere, it shows that nothing before it was cut off. */
  head(): ChainHead
  close(): Promise<void>
}

/**
 * Opens an {@link AuditLogger}, behind what the log has already.
 * @throws ConfigurationError when neither option nor variable says where the log is, or the package is missing
 */
export async function createAuditLogger(options: AuditLoggerOptions = {}): Promise<AuditLogger> {
  const { adapter, table, stores = [], key, clock, maxFileBytes } = options
  const { openAuditLog } = await loadSecurity('audit logs')
  const path = options.path === undefined && adapter === undefined && stores.length === 0 ? auditLogPath() : (options.path ?? null)
  const own = adapter === undefined ? [] : [createAuditTable({ adapter, table })]
  const log = await mapped(() => openAuditLog({ path: path ?? undefined, maxFileBytes, stores: [...own, ...stores], key, clock }))
  const record = (event: AuditEvent): Promise<void> => mapped(() => log.record(event))
  return {
    record,
    logEvent: (event) => record(eventOf(event, {})),
    logSecurityEvent: ({ severity = 'warning', status = 'denied', ...event }) => record(eventOf({ ...event, status }, { security: severity })),
    getAuditLogPath: () => path,
    verify: (known) => mapped(() => log.verify(known)),
    head: () => log.head(),
    close: () => log.close(),
  }
}

function eventOf({ username, action, status, details, sourceIp, resource }: LoggedEvent, more: Record<string, unknown>): AuditEvent {
  const all = { ...details, ...(sourceIp === undefined ? {} : { sourceIp }), ...more }
  return { actor: username, action, outcome: status, ...(resource === undefined ? {} : { resource }), ...(Object.keys(all).length === 0 ? {} : { details: all }) }
}

async function mapped<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    // What is wrong with an option is for who calls; everything else is the log's.
    if (InfrastructureError.isInstance(error) && error.code === 'ERR_SECURITY_OPTIONS') throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new SecurityError(`the audit log failed: ${why}`, { code: 'ERR_CLICKHOUSE_AUDIT', cause: error })
  }
}
