import { type CallOptions, type Row, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, QueryParams } from '../adapter-options.ts'
import { ClickHouseBaseError, type ClickHouseErrorCode } from '../errors.ts'
import { quoteText } from '../migrations/topology.ts'
import { ALL_RULES } from './all-rules.ts'
import type { DoctorFinding, UnseenRule } from './finding.ts'
import { isGone } from './is-gone.ts'
import type { DoctorRule, Look } from './rule.ts'
import { DEFAULT_THRESHOLDS, type DoctorThresholds } from './thresholds.ts'

/** What {@link runDoctor} may be told. */
export interface DoctorOptions extends CallOptions {
  /** Databases to look at. @default all but the server's own */
  databases?: readonly string[] | undefined
  /** Rules to follow, by name. @default all */
  rules?: readonly string[] | undefined
  /** From when on something is a finding. @default see {@link DoctorThresholds} */
  thresholds?: Partial<DoctorThresholds> | undefined
  /** Hears which rule is being followed. @default nobody */
  onRule?: ((name: string) => void) | undefined
}

/** What the doctor found. */
export interface DoctorReport {
  /** Worst first. */
  readonly findings: readonly DoctorFinding[]
  /** Rules that could not look, and why: of what they are about nothing is known. */
  readonly unseen: readonly UnseenRule[]
  /** Rules that looked. */
  readonly followed: readonly string[]
  /** Host, port and database that were looked at. */
  readonly server: string
}

/** What a rule may take, in milliseconds, where nothing else is said. */
const RULE_TIMEOUT_MS = 30_000
const ORDER = ['critical', 'warning', 'advice']

/**
 * Looks at a server for what makes it slow, fill up or fail, and tells what mends it. Changes nothing; `applyFixes` does.
 *
 * @throws ValidationError for a rule or threshold that there isn't
 * @throws ConnectionError when the server does not answer
 * @example
 * const { findings, unseen } = await runDoctor(adapter, { databases: ['app'] })
 */
export async function runDoctor(adapter: ClickHouseAdapter, options: DoctorOptions = {}): Promise<DoctorReport> {
  const rules = chosenRules(options.rules)
  const look = lookOf(adapter, options)
  const findings: DoctorFinding[] = []
  const unseen: UnseenRule[] = []
  for (const rule of rules) {
    options.onRule?.(rule.name)
    try {
      findings.push(...(await rule.examine(look)).map((found) => ({ rule: rule.name, ...found })))
    } catch (error) {
      unseen.push({ rule: rule.name, reason: whyUnseen(error) })
    }
  }
  const isUnseen = new Set(unseen.map(({ rule }) => rule))
  return {
    findings: findings.sort((one, other) => ORDER.indexOf(one.severity) - ORDER.indexOf(other.severity)),
    unseen,
    followed: rules.map(({ name }) => name).filter((name) => !isUnseen.has(name)),
    server: adapter.server,
  }
}

function chosenRules(names: readonly string[] | undefined): readonly DoctorRule[] {
  if (names === undefined) return ALL_RULES
  const unknown = names.find((name) => !ALL_RULES.some((rule) => rule.name === name))
  if (unknown !== undefined) throw wrongOption('rules', `has "${unknown}"; there are ${ALL_RULES.map(({ name }) => name).join(', ')}`)
  return ALL_RULES.filter(({ name }) => names.includes(name))
}

function lookOf(adapter: ClickHouseAdapter, { databases, thresholds = {}, signal, timeoutMs = RULE_TIMEOUT_MS }: DoctorOptions): Look {
  const unknown = Object.keys(thresholds).find((name) => !Object.hasOwn(DEFAULT_THRESHOLDS, name))
  if (unknown !== undefined) throw wrongOption('thresholds', `has "${unknown}"; there are ${Object.keys(DEFAULT_THRESHOLDS).join(', ')}`)
  const given = Object.fromEntries(Object.entries(thresholds).filter(([, value]) => value !== undefined))
  return {
    thresholds: { ...DEFAULT_THRESHOLDS, ...given },
    ask: async <T extends Row>(query: string, params: QueryParams = {}): Promise<T[]> =>
      (await adapter.execute<T>(query, params, { signal, timeoutMs, queryId: `smart-whale-look-${crypto.randomUUID()}` })).rows,
    inScope: (column) => (databases === undefined ? `${column} NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')` : `${column} IN (${databases.map(quoteText).join(', ') || "''"})`),
  }
}

/** A rule that isn't let or able to look says so; a server that is gone can't be looked at. */
function whyUnseen(error: unknown): string {
  if (isGone(error) || !ClickHouseBaseError.isInstance(error)) throw error
  if (error.code === 'ERR_CLICKHOUSE_PERMISSION_DENIED') return `this user may not look: ${error.message}`
  if (error.code === 'ERR_CLICKHOUSE_UNKNOWN_OBJECT') return `this server has no such table: ${error.message}`
  return error.message
}

function wrongOption(field: string, what: string): ValidationError<ClickHouseErrorCode> {
  return new ValidationError<ClickHouseErrorCode>(`doctor: ${field} ${what}`, { code: 'ERR_CLICKHOUSE_CONFIGURATION', issues: [{ path: [field], message: what }] })
}
