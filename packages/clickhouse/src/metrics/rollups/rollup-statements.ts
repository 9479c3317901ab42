import { quoteName, quoteTableName, splitTableName } from '../../adapter/table-columns.ts'
import { canonical, digest } from '../../stable-digest.ts'
import { bindLiteral, quoteText } from '../compile/bind-values.ts'
import { conditionOf, rollupColumns } from '../compile/relation.ts'
import { countSql, measureSql } from '../compile/measure-sql.ts'
import type { DimensionModel, MeasureModel, MetricsModel, RollupModel, SourceModel } from '../definition/metrics-model.ts'

/** How far a rollup is: `building` until it has all that is in its source, `filled` from then on, `ready` when nothing is left over. */
export type RollupState = 'building' | 'filled' | 'ready'

/** What the comment of a rollup's table says. */
export interface RollupMark {
  readonly rollup: string
  readonly hash: string
  readonly state: RollupState
}

/** The part of a rollup that its view fills, and the part that was filled when it was made. */
const PARTS = { live: 1, backfilled: 0 } as const
/** Ids of queries that read rows of before a rollup's time begin so. */
export const BACKFILL_QUERY = 'sw-backfill-'
const NAME = 'sw_rollup_'

/** The statements that make one rollup, and the names of what they make. */
export class RollupStatements {
  readonly hash: string
  readonly table: string
  readonly view: string
  readonly source: SourceModel
  /** Column of the source, while the rollup is made, that tells its rows apart: those that the view has taken, and those from before. */
  readonly markColumn: string
  readonly #model: MetricsModel
  readonly #rollup: RollupModel

  constructor(model: MetricsModel, rollup: RollupModel) {
    this.#model = model
    this.#rollup = rollup
    this.source = model.sources.get(rollup.source) as SourceModel
    this.hash = digest(canonical([rollupText(model, rollup, this.source)])).slice(0, 12)
    this.table = `${namesOf(rollup.name)}${this.hash}`
    this.view = `${this.table}_view`
    this.markColumn = markColumnOf(this.table)
  }

  /** Beside its source: there it is found, and goes where the source goes. */
  qualified(name: string, database: string): string {
    return `${quoteName(splitTableName(this.source.table, database)[0])}.${quoteName(name)}`
  }

  createTable(database: string, deduplicationWindow: number): string {
    const key = ['sw_start', ...this.#rollup.dimensions.map(rollupColumns.dimension)].join(', ')
    return [
      `CREATE TABLE IF NOT EXISTS ${this.qualified(this.table, database)} ENGINE = AggregatingMergeTree`,
      `PARTITION BY ${rollupColumns.part} ORDER BY (${key})`,
      `SETTINGS allow_nullable_key = 1, non_replicated_deduplication_window = ${deduplicationWindow}`,
      `COMMENT ${this.comment('building')}`,
      `EMPTY AS ${this.#select('backfilled')}`,
    ].join('\n')
  }

  addMark(): string {
    return `ALTER TABLE ${this.#sourceTable} ADD COLUMN IF NOT EXISTS ${this.markColumn} UInt8 MATERIALIZED 0`
  }

  createView(database: string): string {
    const [view, table] = [this.qualified(this.view, database), this.qualified(this.table, database)]
    return `CREATE MATERIALIZED VIEW IF NOT EXISTS ${view} TO ${table} AS ${this.#select('live', `${this.markColumn} = 1`)}`
  }

  /**
   * From here on inserts mark their rows as taken. A part that has no such column was written before: reading it computes the
   * column, outside of any insert, as 0.
   */
  turnMark(): string {
    const isInsert = `initialQueryID() != '' AND NOT startsWith(initialQueryID(), '${BACKFILL_QUERY}')`
    return `ALTER TABLE ${this.#sourceTable} MODIFY COLUMN ${this.markColumn} UInt8 MATERIALIZED ${isInsert}`
  }

  emptyBackfill(database: string): string {
    return `ALTER TABLE ${this.qualified(this.table, database)} DROP PARTITION ${PARTS.backfilled}`
  }

  /** A repeat writes what was dropped before it, which must not count as known. */
  backfill(database: string): string {
    return `INSERT INTO ${this.qualified(this.table, database)} ${this.#select('backfilled', `${this.markColumn} = 0`)} SETTINGS insert_deduplicate = 0`
  }

  /** Every row is marked as taken by now, so the view takes the same rows with and without asking. */
  releaseView(database: string): string {
    return `ALTER TABLE ${this.qualified(this.view, database)} MODIFY QUERY ${this.#select('live')}`
  }

  mark(database: string, state: RollupState): string {
    return `ALTER TABLE ${this.qualified(this.table, database)} MODIFY COMMENT ${this.comment(state)}`
  }

  /** How many rows the source has in the times that rollups keep, and how many the rollup stands for. */
  countSource(): string {
    return `SELECT count() AS rows FROM ${this.#sourceTable} WHERE ${this.#kept}`
  }

  countRollup(database: string): string {
    return `SELECT sum(sw_rows) AS rows FROM ${this.qualified(this.table, database)}`
  }

  comment(state: RollupState): string {
    return quoteText(JSON.stringify({ rollup: this.#rollup.name, hash: this.hash, state } satisfies RollupMark))
  }

  get #sourceTable(): string {
    return quoteTableName(this.source.table)
  }

  /** Questions reach no further than a `DateTime` does; what lies beyond it would come back at another time. */
  get #kept(): string {
    const time = quoteName(this.source.time)
    return this.source.isDate ? `${time} >= '1970-01-02' AND ${time} < '2106-01-01'` : `${time} >= toDateTime64('1970-01-02 00:00:00', 3, 'UTC') AND ${time} < toDateTime64('2106-01-01 00:00:00', 3, 'UTC')`
  }

  #select(part: keyof typeof PARTS, condition?: string): string {
    const dimensions = this.#rollup.dimensions.map((name) => this.#model.dimensions.get(name) as DimensionModel)
    const sqlOf = (name: string): string => (this.#model.dimensions.get(name) as DimensionModel).sql
    const measures = this.#rollup.measures.map((name) => this.#model.metrics.get(name) as MeasureModel)
    const filters = new Map(measures.map((measure) => [rollupColumns.rows(measure.where), conditionOf(measure, sqlOf, bindLiteral)]))
    const columns = [
      `toUInt8(${PARTS[part]}) AS ${rollupColumns.part}`,
      `${this.#start} AS ${rollupColumns.start}`,
      ...dimensions.map((dimension) => `${dimension.sql} AS ${rollupColumns.dimension(dimension.name)}`),
      ...[...new Map([[rollupColumns.rows({}), undefined as string | undefined], ...filters])].map(([name, filter]) => `${countSql(filter).state} AS ${name}`),
      ...measures.map((measure) => `${measureSql(measure, conditionOf(measure, sqlOf, bindLiteral)).state} AS ${rollupColumns.measure(measure.name)}`),
    ]
    const keys = [rollupColumns.start, ...dimensions.map((dimension) => rollupColumns.dimension(dimension.name))]
    const where = [this.#kept, ...(condition === undefined ? [] : [condition])].join(' AND ')
    return `SELECT ${columns.join(', ')} FROM ${this.#sourceTable} WHERE ${where} GROUP BY ${keys.join(', ')}`
  }

  /** The instant at which a row's bucket begins. */
  get #start(): string {
    const { grain, timeZone } = this.#rollup
    const time = this.source.isDate ? `toDateTime(${quoteName(this.source.time)}, 'UTC')` : quoteName(this.source.time)
    const zone = quoteText(timeZone)
    const starts: Record<RollupModel['grain'], string> = {
      minute: `toStartOfMinute(${time}, ${zone})`,
      fifteen_minutes: `toStartOfFifteenMinutes(${time}, ${zone})`,
      hour: `toStartOfHour(${time}, ${zone})`,
      day: `toStartOfDay(${time}, ${zone})`,
      week: `toDateTime(toStartOfWeek(${time}, 1, ${zone}), ${zone})`,
      month: `toDateTime(toStartOfMonth(${time}, ${zone}), ${zone})`,
      quarter: `toDateTime(toStartOfQuarter(${time}, ${zone}), ${zone})`,
      year: `toDateTime(toStartOfYear(${time}, ${zone}), ${zone})`,
    }
    return `toDateTime(${starts[grain]}, 'UTC')`
  }
}

/** The table of a rollup, as `database.table`; it need not be there. */
export function rollupTableName(model: MetricsModel, rollup: RollupModel, home: string): string {
  const { table, source } = new RollupStatements(model, rollup)
  return `${splitTableName(source.table, home)[0]}.${table}`
}

/** How the tables of a rollup's definitions begin, present and former ones. */
export function namesOf(rollup: string): string {
  return `${NAME}${rollup}_`
}

/** The column by which a rollup with this table marks the rows of its source while it is made. */
export function markColumnOf(table: string): string {
  return `sw_taken_${table.slice(table.lastIndexOf('_') + 1)}`
}

/** What a table's comment says of a rollup; undefined when it is none of ours. */
export function readMark(comment: string): RollupMark | undefined {
  if (!comment.startsWith('{"rollup":')) return undefined
  try {
    return JSON.parse(comment) as RollupMark
  } catch {
    return undefined
  }
}

/** Everything that a rollup's rows depend on. A change of it makes another rollup. */
function rollupText(model: MetricsModel, rollup: RollupModel, source: SourceModel): unknown {
  const dimensions = rollup.dimensions.map((name) => [name, model.dimensions.get(name)?.sql])
  const measures = rollup.measures.map((name) => {
    const { measure, of, level, accuracy, where } = model.metrics.get(name) as MeasureModel
    const filters = Object.entries(where).map(([dimension, condition]) => [model.dimensions.get(dimension)?.sql, condition])
    return [name, measure, of, level, accuracy ?? null, filters]
  })
  return [1, source.table, source.time, source.isDate, rollup.grain, rollup.timeZone, dimensions, measures]
}
