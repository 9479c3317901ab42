import type { CheckedLevel, CheckedTable } from './check-levels.ts'
import { changeableSettings, levelSettings } from './level-settings.ts'
import { quoteName, quoteText } from './quote-name.ts'
import { TELLING_LISTS } from './users-file.ts'

/** How {@link accessStatements} writes. */
export interface AccessStatementOptions {
  /** Cluster whose every server gets the users and policies; null writes for one server. @default null */
  cluster?: string | null | undefined
  /** Addresses that the users may come from, e.g. `10.0.0.0/8`. @default any */
  hosts?: readonly string[] | undefined
  /**
   * Whether requests may say that they yield to others (`limits.nicenessOverShare`). The server must be 25.6 or later, and have `settings_constraints_replace_previous`, as it does in the
   * `config.xml` that ClickHouse ships. @default false
   */
  rankThreads?: boolean | undefined
}

/**
 * The statements that make the levels' users on a server whose users are kept by SQL: profile, role, row policies, rights, user, one by
 * one and in this order, so that at no moment somebody has a right without the policy that bounds it. May be run again at any time, also
 * after levels have changed: rights that a level no longer has are taken away.
 */
export function accessStatements(levels: readonly CheckedLevel[], options: AccessStatementOptions = {}): string[] {
  const where = options.cluster ? ` ON CLUSTER ${quoteName(options.cluster)}` : ''
  return levels.flatMap((level) => levelStatements(level, where, options))
}

function levelStatements(level: CheckedLevel, where: string, { hosts, rankThreads = false }: AccessStatementOptions): string[] {
  const role = quoteName(`${level.user}_role`)
  const profile = quoteName(`${level.user}_profile`)
  const user = quoteName(level.user)
  const from = hosts === undefined ? '' : ` HOST ${hosts.map((host) => `IP ${quoteText(host)}`).join(', ')}`
  const login = `IDENTIFIED WITH sha256_password BY ${quoteText(level.password)}${from}`
  return [
    `CREATE SETTINGS PROFILE OR REPLACE ${profile}${where} SETTINGS ${settingsText(level, rankThreads)}`,
    `CREATE ROLE IF NOT EXISTS ${role}${where}`,
    ...level.tables.flatMap((table) => policyStatements(level, table, role, where)),
    ...(level.byTenant ? TELLING_LISTS.map((list) => `CREATE ROW POLICY OR REPLACE ${quoteName(`${level.user}_bound`)}${where} ON system.${list} AS RESTRICTIVE FOR SELECT USING 0 TO ${role}`) : []),
    // All rights in one statement that replaces whatever the role had.
    `GRANT${where} ${rightsText(level)} TO ${role} WITH REPLACE OPTION`,
    `CREATE USER IF NOT EXISTS ${user}${where} ${login} SETTINGS PROFILE ${profile}`,
    `ALTER USER ${user}${where} ${login} SETTINGS PROFILE ${profile}`,
    // The role and nothing else: rights that somebody once gave the user itself go.
    `REVOKE${where} ALL ON *.* FROM ${user}`,
    `GRANT${where} ${role} TO ${user} WITH REPLACE OPTION`,
    `ALTER USER ${user}${where} DEFAULT ROLE ALL`,
  ]
}

/** Constant as well as given: a later profile of the same user can't make it changeable. */
function settingsText(level: CheckedLevel, rankThreads: boolean): string {
  const changeable = rankThreads ? changeableSettings(level) : {}
  const constant = Object.entries(levelSettings(level)).filter(([name]) => changeable[name] === undefined)
  return [...constant.map(([name, value]) => `${name} = ${value} CONST`), ...Object.entries(changeable).map(([name, { min, max }]) => `${name} = ${min} MIN ${min} MAX ${max} CHANGEABLE_IN_READONLY`)].join(', ')
}

function rightsText({ tables }: CheckedLevel): string {
  const rights = tables.map(({ database, table, columns }) => `SELECT${columns === undefined ? '' : `(${columns.map(quoteName).join(', ')})`} ON ${quoteName(database)}.${quoteName(table)}`)
  // Table functions that compute (numbers, values) need it; those that reach out need a right of their own as well.
  return ['CREATE TEMPORARY TABLE ON *.*', ...rights].join(', ')
}

/**
 * Two policies with one condition. The permissive one lets the rows through; but permissive ones add up, and a table may have another,
 * `USING 1 TO ALL` for everybody else. The restrictive one holds whatever others allow.
 */
function policyStatements({ user }: CheckedLevel, { database, table, filter }: CheckedTable, role: string, where: string): string[] {
  const on = `${where} ON ${quoteName(database)}.${quoteName(table)}`
  const [permissive, restrictive] = [quoteName(`${user}_rows`), quoteName(`${user}_bound`)]
  if (filter === undefined) return [`DROP ROW POLICY IF EXISTS ${permissive}${dropOn(on, where)}`, `DROP ROW POLICY IF EXISTS ${restrictive}${dropOn(on, where)}`]
  return [
    `CREATE ROW POLICY OR REPLACE ${restrictive}${on} AS RESTRICTIVE FOR SELECT USING ${filter} TO ${role}`,
    `CREATE ROW POLICY OR REPLACE ${permissive}${on} AS PERMISSIVE FOR SELECT USING ${filter} TO ${role}`,
  ]
}

/** `DROP` has the cluster behind the table, `CREATE` before it. */
const dropOn = (on: string, where: string): string => `${on.slice(where.length)}${where}`
