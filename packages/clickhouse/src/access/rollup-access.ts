import { splitTableName } from '../adapter/table-columns.ts'
import type { DefinedMetrics } from '../metrics/definition/define-metrics.ts'
import type { DimensionModel, MetricsModel, RollupModel, SourceModel } from '../metrics/definition/metrics-model.ts'
import type { RollupTable } from '../metrics/rewrite/choose-route.ts'
import { rollupTableName } from '../metrics/rollups/rollup-statements.ts'
import { rollupDimension } from '../metrics/compile/relation.ts'
import type { CheckedLevel, CheckedTable } from './check-levels.ts'
import type { TableAccess, TrustLevel } from './trust-level.ts'

/**
 * The levels with the rollups that they may read beside the tables that they name: those of a source that they may read all columns of. Where
 * the source's rows are a tenant's, a rollup's are too, by the dimension that is the tenant's column; a rollup that doesn't keep it has every
 * tenant's rows added up, and stays out of reach. What a level says of a rollup's table itself holds.
 */
export function withRollups(levels: Readonly<Record<string, TrustLevel>>, metrics: readonly DefinedMetrics[], home: string): Record<string, TrustLevel> {
  const rollups = metrics.flatMap(({ model }) => [...model.rollups.values()].map((rollup) => describe(model, rollup, home)))
  return Object.fromEntries(Object.entries(levels).map(([name, level]) => [name, { ...level, tables: { ...rollupTables(level, rollups, home), ...level.tables } }]))
}

interface Described {
  /** `database.table`, both of them. */
  readonly table: string
  readonly source: string
  readonly dimensions: readonly DimensionModel[]
}

function describe(model: MetricsModel, rollup: RollupModel, home: string): Described {
  const { table } = model.sources.get(rollup.source) as SourceModel
  return { table: rollupTableName(model, rollup, home), source: fullName(table, home), dimensions: rollup.dimensions.map((name) => model.dimensions.get(name) as DimensionModel) }
}

function rollupTables({ tables = {} }: TrustLevel, rollups: readonly Described[], home: string): Record<string, TableAccess> {
  const known = new Map(Object.entries(tables).map(([name, access]) => [fullName(name, home), access]))
  const granted = rollups.flatMap(({ table, source, dimensions }) => {
    const access = known.get(source)
    const given = access === undefined || known.has(table) ? undefined : accessTo(dimensions, access)
    return given === undefined ? [] : [[table, given] as const]
  })
  return Object.fromEntries(granted)
}

/** What may be read of a rollup by who may read its source so; a part of the source's columns or rows says nothing of the sums. */
function accessTo(dimensions: readonly DimensionModel[], { shared, tenantColumn, tenantType, columns, condition }: TableAccess): TableAccess | undefined {
  if (columns !== undefined || condition !== undefined) return undefined
  if (shared === true) return { shared }
  const dimension = dimensions.find(({ column }) => column !== undefined && column === tenantColumn)
  return dimension === undefined ? undefined : { tenantColumn: rollupDimension(dimension.name), tenantType }
}

/**
 * Whether a level may read a rollup: it must be one of its tables, bounded by a policy where the source is, and of a source that the level
 * reads all columns of and, but for other tenants', all rows: the sums have them all. A question without a
 * level runs as whoever the adapter is; one that names a tenant all the same would be answered of all.
 */
export function mayReadRollup(levels: readonly CheckedLevel[], home: string, { level: name, tenant }: { level?: string | undefined; tenant?: string | undefined }, rollup: RollupTable): boolean {
  if (name === undefined) return tenant === undefined
  const tables = levels.find((level) => level.name === name)?.tables ?? []
  const find = (table: string): CheckedTable | undefined => tables.find((candidate) => `${candidate.database}.${candidate.table}` === fullName(table, home))
  const [source, own] = [find(rollup.source), find(rollup.table)]
  return own !== undefined && source?.isWhole === true && (source.filter === undefined || own.filter !== undefined)
}

const fullName = (table: string, home: string): string => splitTableName(table, home).join('.')
