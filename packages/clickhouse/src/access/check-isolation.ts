import { InfrastructureError, type Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName } from './quote-name.ts'

/** A table, view or rollup whose rows belong to tenants. */
export interface IsolatedTable {
  /** Its name, as `table` or `database.table`. */
  readonly table: string
  /** The column that holds the tenant. */
  readonly tenantColumn: string
}

/** Asks as one tenant, the way its requests are asked. Resolves to the rows; rejects for what is refused. */
export type AskAsTenant = (query: string, params?: Readonly<Record<string, unknown>>) => Promise<readonly Row[]>

/** What {@link checkIsolation} is made from. */
export interface IsolationOptions {
  /** Asks as a tenant; as nobody's tenant for `undefined`. @default none, required */
  adapterFor: (tenant: string | undefined) => AskAsTenant
  /** Sees all rows: knows what each tenant should. @default none, required */
  owner: ClickHouseAdapter
  /** What is looked at. @default none, required */
  tables: readonly IsolatedTable[]
  /** Tenants that are tried, two at least. @default the three with most rows, table by table */
  tenants?: readonly string[] | undefined
}

/** A hole: who reached what, and how. */
export interface IsolationFinding {
  readonly table: string
  readonly tenant: string | undefined
  /** What was tried. */
  readonly probe: string
  readonly query: string
  /** What came of it, and what should have. */
  readonly what: string
}

/** What was tried, and what came of it. */
export interface IsolationReport {
  readonly probes: number
  readonly findings: readonly IsolationFinding[]
}

/** One way to foreign rows. `tenant` and `other` are bound as values. */
interface Probe {
  readonly name: string
  readonly query: string
  /** What the rows must be; the answer as JSON. A refusal is fine too, where `mayRefuse`. */
  readonly expected: (owned: bigint) => unknown
  readonly mayRefuse: boolean
}

/**
 * Tries, on tables of one's own, to read as one tenant what belongs to another: directly, by conditions, aggregates, joins, subqueries and
 * table functions; as no tenant at all; in tables that nobody has listed. Reads only.
 *
 * @returns every hole that was found; a schema without findings lets a tenant see its own rows, all of them and no others
 * @example
 * const report = await checkIsolation({ owner, tables: [{ table: 'flights', tenantColumn: 'tenant' }], adapterFor })
 */
export async function checkIsolation(options: IsolationOptions): Promise<IsolationReport> {
  const findings: IsolationFinding[] = []
  let probes = 0
  for (const table of options.tables) {
    const tenants = options.tenants ?? (await largestTenants(options.owner, table))
    if (tenants.length < 2) {
      findings.push({ table: table.table, tenant: undefined, probe: 'two tenants', query: '', what: 'the table has rows of fewer than two tenants: nothing can be found out' })
      continue
    }
    const tries = tenants.flatMap((tenant) => probesOf(table).map((probe) => ({ probe, tenant, other: tenants.find((candidate) => candidate !== tenant) as string })))
    for (const { probe, tenant, other } of tries) {
      const finding = await tryProbe(probe, table, tenant, other, options)
      if (finding !== undefined) findings.push(finding)
    }
    probes += tries.length
    probes += 1
    findings.push(...(await askAsNobody(table, options)))
  }
  const unlisted = await tryUnlisted(options)
  return { probes: probes + unlisted.probes, findings: [...findings, ...unlisted.findings] }
}

async function largestTenants(owner: ClickHouseAdapter, { table, tenantColumn }: IsolatedTable): Promise<string[]> {
  const { rows } = await owner.execute<{ tenant: string }>(`SELECT toString(${quoteName(tenantColumn)}) AS tenant FROM ${nameOf(table)} GROUP BY tenant ORDER BY count() DESC, tenant LIMIT 3`)
  return rows.map(({ tenant }) => tenant).filter((tenant) => tenant !== '')
}

function probesOf({ table, tenantColumn }: IsolatedTable): Probe[] {
  const from = nameOf(table)
  const column = `toString(${quoteName(tenantColumn)})`
  const counted = (name: string, query: string, mayRefuse = false): Probe => ({ name, query, expected: (owned) => [{ n: owned }], mayRefuse })
  const none = (name: string, query: string, mayRefuse = false): Probe => ({ name, query, expected: () => [{ n: 0n }], mayRefuse })
  const bare = table.split('.').at(-1) as string
  return [
    counted('count', `SELECT count() AS n FROM ${from}`),
    counted('count of rows read', `SELECT count() AS n FROM (SELECT * FROM ${from})`),
    none('rows of others', `SELECT count() AS n FROM ${from} WHERE ${column} != {tenant:String}`),
    none('rows of another', `SELECT count() AS n FROM ${from} WHERE ${column} = {other:String}`),
    none('another tenant in the key', `SELECT count() AS n FROM ${from} WHERE ${quoteName(tenantColumn)} IN ({other:String})`, true),
    none('condition that is always true', `SELECT countIf(${column} != {tenant:String}) AS n FROM ${from} WHERE ${column} = {other:String} OR 1 = 1`),
    none('smallest and largest tenant', `SELECT countIf(t != {tenant:String}) AS n FROM (SELECT arrayJoin([min(${column}), max(${column})]) AS t FROM ${from}) WHERE t != ''`),
    none('groups', `SELECT countIf(t != {tenant:String}) AS n FROM (SELECT ${column} AS t FROM ${from} GROUP BY t)`),
    none('join with itself', `SELECT countIf(toString(b.${quoteName(tenantColumn)}) != {tenant:String}) AS n FROM (SELECT 1 AS k) AS a JOIN (SELECT 1 AS k, ${quoteName(tenantColumn)} FROM ${from}) AS b ON a.k = b.k`),
    none('scalar subquery', `SELECT length(arrayFilter(t -> t != {tenant:String}, (SELECT groupUniqArray(${column}) FROM ${from}))) AS n`),
    none('table function merge', `SELECT countIf(${column} != {tenant:String}) AS n FROM merge(${table.includes('.') ? `'${table.split('.')[0]}'` : 'currentDatabase()'}, '^${bare.replaceAll(/\W/g, '.')}$')`, true),
    none('view', `SELECT countIf(${column} != {tenant:String}) AS n FROM view(SELECT * FROM ${from})`, true),
    none('prewhere', `SELECT count() AS n FROM ${from} PREWHERE ${column} = {other:String}`, true),
    none('final', `SELECT countIf(${column} != {tenant:String}) AS n FROM ${from} FINAL`, true),
    none('size in the list of tables', `SELECT count() AS n FROM system.tables WHERE name = '${bare}' AND total_rows > 0`, true),
    none('marks of the index', `SELECT count() AS n FROM mergeTreeIndex(currentDatabase(), '${bare}')`, true),
    none('estimate', `EXPLAIN ESTIMATE SELECT * FROM ${from}`, true),
    none('hidden columns', `SELECT count() AS n FROM ${from} WHERE _part_offset >= 0 HAVING n > 0`, true),
  ]
}

async function tryProbe(probe: Probe, { table, tenantColumn }: IsolatedTable, tenant: string, other: string, { adapterFor, owner }: IsolationOptions): Promise<IsolationFinding | undefined> {
  const { rows } = await owner.execute<{ n: bigint }>(`SELECT count() AS n FROM ${nameOf(table)} WHERE toString(${quoteName(tenantColumn)}) = {tenant:String}`, { tenant })
  const expected = probe.expected(rows[0]?.n ?? 0n)
  const found = (what: string): IsolationFinding => ({ table, tenant, probe: probe.name, query: probe.query, what })
  try {
    const answer = await adapterFor(tenant)(probe.query, { tenant, other })
    if (answer.length === 0 && probe.mayRefuse) return undefined
    return shown(answer) === shown(expected) ? undefined : found(`answered ${shown(answer).slice(0, 200)}, where ${shown(expected)} would be right`)
  } catch (error) {
    return probe.mayRefuse ? undefined : found(`was refused: ${InfrastructureError.isInstance(error) ? `${error.code} ${error.message}` : String(error)}`)
  }
}

async function askAsNobody({ table }: IsolatedTable, { adapterFor }: IsolationOptions): Promise<IsolationFinding[]> {
  const query = `SELECT count() AS n FROM ${nameOf(table)}`
  try {
    const rows = await adapterFor(undefined)(query)
    return shown(rows) === shown([{ n: 0n }]) ? [] : [{ table, tenant: undefined, probe: 'no tenant', query, what: `answered ${shown(rows)}, where nothing would be right` }]
  } catch {
    return []
  }
}

/** Tables beside the listed ones: none of them may be open to a tenant by oversight. */
async function tryUnlisted({ owner, tables, adapterFor, tenants }: IsolationOptions): Promise<IsolationReport> {
  const { rows } = await owner.execute<{ name: string }>("SELECT concat(database, '.', name) AS name FROM system.tables WHERE NOT is_temporary AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') LIMIT 1000")
  const listed = new Set(tables.map(({ table }) => (table.includes('.') ? table : `${owner.database}.${table}`)))
  const tenant = tenants?.[0] ?? 'nobody'
  const findings: IsolationFinding[] = []
  const unlisted = rows.map(({ name }) => name).filter((name) => !listed.has(name))
  for (const table of unlisted) {
    const query = `SELECT 1 AS n FROM ${nameOf(table)} LIMIT 1`
    const open = await adapterFor(tenant)(query).then((answer) => answer.length > 0, () => false)
    if (open) findings.push({ table, tenant, probe: 'a table that is not listed', query, what: 'its rows can be read; list it with its tenant column, or take the right away' })
  }
  return { probes: unlisted.length, findings }
}

const nameOf = (table: string): string => table.split('.').map(quoteName).join('.')

/** Counts come as numbers, as bigints or, over JSON, as texts. */
const shown = (rows: unknown): string => JSON.stringify(rows, (_name, value: unknown) => (typeof value === 'bigint' || typeof value === 'number' ? String(value) : value))
