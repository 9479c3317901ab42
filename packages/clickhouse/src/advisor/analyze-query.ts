import type { Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, QueryOptions, QueryParams } from '../adapter-options.ts'
import { splitTableName } from '../adapter/table-columns.ts'
import { count, percent } from '../doctor/rule.ts'
import { type PlanNode, readPlan } from './query-plan.ts'
import { questionParts } from './question-parts.ts'

/** What one step of leaving data out left over. */
export interface IndexUse {
  /** `Min-Max`, `Partition`, `PrimaryKey` or `Skip`. */
  readonly type: string
  /** Name of a skip index. */
  readonly name: string | undefined
  /** Columns of the key that it could use. */
  readonly keys: readonly string[]
  /** What it could tell of the question; `true` when nothing. */
  readonly condition: string
  readonly partsBefore: number
  readonly parts: number
  readonly granulesBefore: number
  readonly granules: number
}

/** How one table is read. */
export interface TableRead {
  /** As `database.table`. */
  readonly table: string
  readonly indexes: readonly IndexUse[]
  readonly granules: number
  readonly granulesOfTable: number
  /** Whether a filter is read first, and other columns only for the rows that pass it. */
  readonly prewhere: string | null
  /** Projection that is read in place of the table. */
  readonly projection: string | null
  readonly rowsOfTable: number
  readonly sortingKey: string
}

/** Something that a query pays for, or could do without. */
export interface AnalysisFinding {
  readonly about: 'primary-key' | 'parts' | 'prewhere' | 'join-order' | 'skip-index' | 'projection' | 'select-all'
  readonly table: string
  /** Why, with the figures. */
  readonly reason: string
  /** Statement or change that helps; null where there is none to name. */
  readonly remedy: string | null
}

/** What a query would cost, and why. */
export interface QueryAnalysis {
  /** What the server expects to read. */
  readonly estimate: { readonly rows: number; readonly granules: number; readonly parts: number }
  readonly reads: readonly TableRead[]
  readonly findings: readonly AnalysisFinding[]
}

/** Smaller tables are read as a whole in no time. */
const LEAST_GRANULES = 8
const MUCH = 0.5
const MANY_PARTS = 50

/**
 * What a query would read and why, without running it: use of keys and indexes, parts, PREWHERE, join order, and what is missing.
 * @throws QueryError when the server doesn't take it for a query
 */
export async function analyzeQuery(adapter: ClickHouseAdapter, query: string, params: QueryParams = {}, options: QueryOptions = {}): Promise<QueryAnalysis> {
  const bare = query.trim().replace(/;\s*$/, '')
  const plan = readPlan((await adapter.execute<Row & { explain: string }>(`EXPLAIN header = 1, indexes = 1, actions = 1, json = 1 ${bare}`, params, options)).rows.map(({ explain }) => explain).join('\n'))
  const { rows: estimates } = await adapter.execute<Row & { rows: bigint; marks: bigint; parts: bigint }>(`EXPLAIN ESTIMATE ${bare}`, params, options)
  const sum = (name: 'rows' | 'marks' | 'parts'): number => estimates.reduce((total, row) => total + Number(row[name]), 0)
  const facts = await factsOf(adapter, plan.nodes.map(({ table }) => table), options)
  const reads = plan.nodes.map((node) => readOf(node, facts.get(node.table)))
  return { estimate: { rows: sum('rows'), granules: sum('marks'), parts: sum('parts') }, reads, findings: [...reads.flatMap((read, index) => findingsOf(read, bare, plan.nodes[index]?.columns ?? [])), ...joinFindings(plan.joins, reads)] }
}

interface TableFacts extends Row {
  full_name: string
  total: number
  sorting_key: string
}

async function factsOf(adapter: ClickHouseAdapter, tables: readonly string[], options: QueryOptions): Promise<Map<string, TableFacts>> {
  const names = [...new Set(tables)].map((table) => splitTableName(table, adapter.database).join('.'))
  if (names.length === 0) return new Map()
  const { rows } = await adapter.execute<TableFacts>(
    "SELECT concat(database, '.', name) AS full_name, ifNull(total_rows, 0) AS total, sorting_key FROM system.tables WHERE full_name IN {names:Array(String)}",
    { names },
    options,
  )
  return new Map(rows.map((row) => [row.full_name, row]))
}

function readOf(node: PlanNode, facts: TableFacts | undefined): TableRead {
  const last = node.indexes.at(-1)
  return {
    table: node.table,
    indexes: node.indexes,
    granules: last?.granules ?? 0,
    granulesOfTable: node.indexes[0]?.granulesBefore ?? 0,
    prewhere: node.prewhere,
    projection: node.projection,
    rowsOfTable: Number(facts?.total ?? 0),
    sortingKey: facts?.sorting_key ?? '',
  }
}

function findingsOf(read: TableRead, query: string, columns: readonly string[]): AnalysisFinding[] {
  const { table, granules, granulesOfTable, indexes, sortingKey } = read
  const parts = indexes.at(-1)?.parts ?? 0
  const findings: AnalysisFinding[] = []
  if (parts >= MANY_PARTS) findings.push({ about: 'parts', table, reason: `${count(parts)} parts are opened; fewer, larger ones are read faster`, remedy: `OPTIMIZE TABLE ${table}` })
  if (/^SELECT\s+(?:\w+\.)?\*/i.test(query)) findings.push({ about: 'select-all', table, reason: 'every column is read and sent; a column store pays for each', remedy: 'name the columns that are needed' })
  if (granulesOfTable < LEAST_GRANULES) return findings
  const share = granules / granulesOfTable
  const { filters, groupBy, isPlain } = questionParts(query)
  const keyUse = indexes.find(({ type }) => type === 'PrimaryKey')
  const read_ = `${count(granules)} of ${count(granulesOfTable)} granules are read (${percent(share)})`
  if (share >= MUCH && filters.length > 0 && (keyUse === undefined || keyUse.condition === 'true'))
    findings.push({ about: 'primary-key', table, reason: `the key (${sortingKey}) can tell nothing of the filters (${filters.map(({ column }) => column).join(', ')}): ${read_}`, remedy: 'filter by the first columns of the key as well, or give the table another order (advise measures one)' })
  else if (share >= MUCH && keyUse !== undefined && keyUse.condition !== 'true') findings.push({ about: 'primary-key', table, reason: `the key (${sortingKey}) is used by ${keyUse.keys.join(', ')} and leaves most: ${read_}`, remedy: null })
  findings.push(...uselessIndexes(read))
  if (share >= MUCH && isPlain) findings.push(...missingIndexes(read, filters))
  if (share >= MUCH && isPlain && groupBy.length > 0 && read.projection === null)
    findings.push({ about: 'projection', table, reason: `groups by ${groupBy.join(', ')} over ${percent(share)} of the table each time it is asked`, remedy: 'a projection or a materialized view that keeps the groups; advise measures one' })
  // What is filtered by has to be read in any case: there must be another column that could wait.
  const canWait = columns.some((column) => !filters.some((filter) => filter.column === column))
  if (filters.length > 0 && canWait && read.prewhere === null && share > 0.1) findings.push({ about: 'prewhere', table, reason: 'no filter is read first: all columns are read for all rows of the granules', remedy: 'optimize_move_to_prewhere = 1, or write PREWHERE' })
  return findings
}

/** Skip indexes that were asked and left everything. */
function uselessIndexes({ indexes, table }: TableRead): AnalysisFinding[] {
  return indexes
    .filter(({ type, granules, granulesBefore }) => type === 'Skip' && granules === granulesBefore && granulesBefore > 0)
    .map(({ name, condition, granules }) => ({ about: 'skip-index' as const, table, reason: `the index ${name ?? ''} was asked (${condition}) and left all ${count(granules)} granules: equal values don't lie together`, remedy: `ALTER TABLE ${table} DROP INDEX ${name ?? ''}` }))
}

const INDEX_TYPES: Readonly<Record<string, string>> = { equals: 'bloom_filter(0.01)', range: 'minmax', text: 'ngrambf_v1(4, 8192, 3, 0)' }

function missingIndexes({ indexes, sortingKey, table }: TableRead, filters: ReturnType<typeof questionParts>['filters']): AnalysisFinding[] {
  const known = `${sortingKey} ${indexes.filter(({ type }) => type === 'Skip').map(({ condition }) => condition).join(' ')}`
  return filters.flatMap(({ column, kind }) => {
    const type = INDEX_TYPES[kind]
    if (type === undefined || known.split(/[^\w]+/).includes(column)) return []
    return [{ about: 'skip-index' as const, table, reason: `filters by ${column}, which neither the key (${sortingKey}) nor an index knows`, remedy: `ALTER TABLE ${table} ADD INDEX by_${column.replace(/\W/g, '_')} \`${column}\` TYPE ${type} GRANULARITY 1` }]
  })
}

/** The right side of a join is held in memory. */
function joinFindings(joins: readonly { readonly left: readonly string[]; readonly right: readonly string[] }[], reads: readonly TableRead[]): AnalysisFinding[] {
  const rowsOf = (tables: readonly string[]): number => tables.reduce((most, table) => Math.max(most, reads.find((read) => read.table === table)?.rowsOfTable ?? 0), 0)
  return joins.flatMap(({ left, right }) => {
    const [leftRows, rightRows] = [rowsOf(left), rowsOf(right)]
    if (rightRows <= leftRows * 2 || rightRows < 100_000) return []
    return [{ about: 'join-order' as const, table: right.join(', '), reason: `the right side of the join (${count(rightRows)} rows) is held in memory, and is larger than the left one (${count(leftRows)})`, remedy: 'put the smaller table on the right, or leave the order to the server: query_plan_join_swap_table = auto' }]
  })
}
