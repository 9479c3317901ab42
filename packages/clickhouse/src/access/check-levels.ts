import { ConfigurationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { tenantCondition } from './tenant-header.ts'
import type { BudgetOptions, LevelLimits, QuotaOptions, ShareOptions, TableAccess, TrustLevel } from './trust-level.ts'

/** A level that was checked, with every default filled in. */
export interface CheckedLevel {
  readonly name: string
  readonly user: string
  readonly password: string
  readonly roles: readonly string[]
  readonly tables: readonly CheckedTable[]
  /** Whether its callers must belong to a tenant. */
  readonly byTenant: boolean
  /** Whether, without tenants of its own, it serves callers who belong to one. */
  readonly admitsTenants: boolean
  readonly limits: Required<{ [Name in keyof LevelLimits]: number }>
  readonly share: Required<{ [Name in keyof ShareOptions]: number }>
  readonly quota: QuotaOptions | undefined
  readonly budget: BudgetOptions | undefined
}

/** A table of a level: what of it may be read. */
export interface CheckedTable {
  readonly database: string
  readonly table: string
  readonly columns: readonly string[] | undefined
  /** Whether all columns may be read, and all rows that are not another tenant's. */
  readonly isWhole: boolean
  /** Condition of its row policy; undefined where every row may be read. */
  readonly filter: string | undefined
}

/** Every default of a level's limits, once. */
const DEFAULT_LIMITS = {
  maxExecutionSeconds: 10,
  maxMemoryBytes: 500_000_000,
  maxRowsToRead: 1_000_000_000,
  maxBytesToRead: 50_000_000_000,
  maxResultRows: 100_000,
  maxResultBytes: 64_000_000,
  maxThreads: 2,
  maxConcurrentQueries: 32,
  niceness: 0,
  nicenessOverShare: 10,
} as const satisfies CheckedLevel['limits']
const DEFAULT_SHARE = { maxConcurrent: 4, maxQueued: 16, maxWaitMs: 5_000, maxReaderIdleMs: 10_000 } as const satisfies CheckedLevel['share']

const NAME = /^[A-Za-z_]\w*$/
const COLUMN_TYPE = /^[A-Za-z]\w*(?:\([\w ,']*\))?$/

/**
 * Checks the levels before anything is made from them. What is left open is a mistake, never a permission: a table must say whether its
 * rows are a tenant's or everybody's.
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names level and member
 */
export function checkLevels(levels: Readonly<Record<string, TrustLevel>>, database: string): readonly CheckedLevel[] {
  const checked = Object.entries(levels).map(([name, level]) => checkLevel(name, level, database))
  if (checked.length === 0) throw wrong('levels', 'must hold at least one level')
  const users = checked.map(({ user }) => user)
  const twice = users.find((user, index) => users.indexOf(user) !== index)
  if (twice !== undefined) throw wrong('levels', `name the user "${twice}" twice; each level needs a user of its own, who has its rights and no others`)
  return checked
}

function checkLevel(name: string, level: TrustLevel, database: string): CheckedLevel {
  const at = `levels.${name}`
  if (!NAME.test(name)) throw wrong(at, 'must be a name of letters, digits and "_"')
  if (typeof level.user !== 'string' || !NAME.test(level.user)) throw wrong(`${at}.user`, 'must be a name of letters, digits and "_"')
  if (level.user === 'default') throw wrong(`${at}.user`, 'must not be "default", whose rights are whoever\'s installed the server')
  if (typeof level.password !== 'string' || level.password === '') throw wrong(`${at}.password`, 'must be text that is not empty')
  if (!Array.isArray(level.roles) || level.roles.length === 0) throw wrong(`${at}.roles`, 'must list the roles that the level is for')
  const tables = Object.entries(level.tables ?? {}).map(([table, access]) => checkTable(`${at}.tables.${table}`, table, access, database))
  if (tables.length === 0) throw wrong(`${at}.tables`, 'must name the tables that the level may read')
  return {
    name,
    user: level.user,
    password: level.password,
    roles: [...level.roles],
    tables,
    byTenant: Object.values(level.tables).some(({ tenantColumn }) => tenantColumn !== undefined),
    admitsTenants: level.admitsTenants ?? false,
    limits: numbers(`${at}.limits`, DEFAULT_LIMITS, level.limits, (limit) => (limit.startsWith('niceness') ? -20 : 1)),
    share: numbers(`${at}.share`, DEFAULT_SHARE, level.share, (bound) => (bound === 'maxQueued' || bound === 'maxWaitMs' ? 0 : 1)),
    quota: bounds(`${at}.quota`, level.quota),
    budget: bounds(`${at}.budget`, level.budget),
  }
}

function checkTable(at: string, name: string, access: TableAccess, home: string): CheckedTable {
  const [database, table, ...rest] = name.includes('.') ? name.split('.') : [home, name]
  if (!database || !table || rest.length > 0) throw wrong(at, 'must be a table\'s name, as "table" or "database.table"')
  if (/^(?:system|information_schema)$/i.test(database)) throw wrong(at, "must not be one of the server's own tables: they show what everybody has")
  const { tenantColumn, tenantType, shared, columns, condition } = access
  if ((tenantColumn === undefined) === (shared !== true)) throw wrong(at, 'needs either the column that holds the tenant (tenantColumn), or shared: true when every caller may read all of its rows')
  if (tenantType !== undefined && !COLUMN_TYPE.test(tenantType)) throw wrong(`${at}.tenantType`, 'must be the name of a column type')
  if (columns !== undefined && columns.length === 0) throw wrong(`${at}.columns`, 'must name at least one column, or be left out')
  const conditions = [...(tenantColumn === undefined ? [] : [tenantCondition(tenantColumn, tenantType)]), ...(condition === undefined ? [] : [`(${condition})`])]
  return { database, table, columns, isWhole: columns === undefined && condition === undefined, filter: conditions.length === 0 ? undefined : conditions.join(' AND ') }
}

function numbers<T extends Readonly<Record<string, number>>>(at: string, defaults: T, given: Partial<Readonly<Record<keyof T, number | undefined>>> | undefined, least: (name: string) => number): Required<{ [Name in keyof T]: number }> {
  const entries = Object.entries(defaults).map(([name, standard]) => [name, wholeNumber(`${at}.${name}`, given?.[name] ?? standard, least(name))] as const)
  return Object.fromEntries(entries) as Required<{ [Name in keyof T]: number }>
}

function bounds<T extends object>(at: string, given: T | undefined): T | undefined {
  for (const [name, value] of Object.entries(given ?? {})) if (value !== undefined) wholeNumber(`${at}.${name}`, value, name === 'maxDegradedAgeSeconds' ? 0 : 1)
  return given
}

/** The value, if it is one. @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names where it stands */
export function wholeNumber(at: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number
  throw wrong(at, `must be a whole number ≥ ${least}, got ${typeof value === 'number' ? value : typeof value}`)
}

function wrong(at: string, message: string): ConfigurationError<ClickHouseErrorCode> {
  return new ConfigurationError<ClickHouseErrorCode>(`${at} ${message}`, { code: 'ERR_CLICKHOUSE_CONFIGURATION' })
}
