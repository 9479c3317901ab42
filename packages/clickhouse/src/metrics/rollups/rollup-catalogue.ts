import type { Clock } from '@smart-whale/interfaces'
import { splitTableName } from '../../adapter/table-columns.ts'
import type { ClickHouseAdapter } from '../../adapter-options.ts'
import type { MetricsModel } from '../definition/metrics-model.ts'
import type { RollupTable } from '../rewrite/choose-route.ts'
import { readMark, RollupStatements } from './rollup-statements.ts'

/** A rollup that is there. */
export interface KnownRollup {
  /** `database.table`. */
  readonly table: string
  /** How many rows it has, about; which of several is the cheapest is told by it. */
  readonly rows: number
  /** Whether it has all that its source has. */
  readonly isFilled: boolean
}

/** Which rollups of a definition are there, as the adapter's user sees them; asked for anew after a while. */
export class RollupCatalogue {
  readonly #adapter: Pick<ClickHouseAdapter, 'execute' | 'database'>
  readonly #clock: Clock
  readonly #maxAgeMs: number
  readonly #tables: ReadonlyMap<string, RollupTable & { readonly hash: string }>
  #known: Promise<ReadonlyMap<string, KnownRollup>> | undefined
  #askedAt = 0

  constructor(model: MetricsModel, adapter: Pick<ClickHouseAdapter, 'execute' | 'database'>, { clock, maxAgeMs }: { readonly clock: Clock; readonly maxAgeMs: number }) {
    this.#adapter = adapter
    this.#clock = clock
    this.#maxAgeMs = maxAgeMs
    this.#tables = new Map(
      [...model.rollups.values()].map((rollup) => {
        const { table, hash, source } = new RollupStatements(model, rollup)
        const [database] = splitTableName(source.table, adapter.database)
        return [`${database}.${table}`, { rollup: rollup.name, table: `${database}.${table}`, source: source.table, hash }]
      }),
    )
  }

  /** Those of the definition, whether they are there or not. */
  get tables(): readonly RollupTable[] {
    return [...this.#tables.values()]
  }

  async known(): Promise<ReadonlyMap<string, KnownRollup>> {
    if (this.#tables.size === 0) return new Map()
    const now = this.#clock.monotonic()
    if (this.#known === undefined || now - this.#askedAt >= this.#maxAgeMs) {
      this.#askedAt = now
      this.#known = this.#ask()
      // The next question asks again.
      this.#known.catch(() => (this.#known = undefined))
    }
    return this.#known
  }

  /** A rollup was made or dropped. */
  forget(): void {
    this.#known = undefined
  }

  async #ask(): Promise<ReadonlyMap<string, KnownRollup>> {
    const { rows } = await this.#adapter.execute<{ table: string; comment: string; rows: bigint | number | null }>(
      "SELECT concat(database, '.', name) AS table, comment, total_rows AS rows FROM system.tables WHERE concat(database, '.', name) IN {tables:Array(String)}",
      { tables: [...this.#tables.keys()] },
    )
    const known = new Map<string, KnownRollup>()
    for (const { table, comment, rows: count } of rows) {
      const expected = this.#tables.get(table)
      const mark = readMark(comment)
      if (expected === undefined || mark?.hash !== expected.hash) continue
      known.set(expected.rollup, { table, rows: Number(count ?? 0), isFilled: mark.state !== 'building' })
    }
    return known
  }
}
