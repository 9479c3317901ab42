import type { Clock } from '@smart-whale/interfaces'
import type { AnalyticsService } from '../../analytics/analytics-service.ts'
import type { ClickHouseAdapter } from '../../adapter-options.ts'
import type { AskOptions, RowFilter } from '../compile/metric-question.ts'
import type { RollupTable } from '../rewrite/choose-route.ts'

/** What a {@link MetricsLayer} is made from. */
export interface MetricsLayerOptions {
  /** Asks the questions: equal ones at once are asked once, answers are kept until a table changes. @default none, required */
  analyticsService: AnalyticsService
  /** Sees which rollups are there; that of the analytics service, so that no rollup is chosen that its user may not read, where `mayReadRollups` doesn't say it. @default none, required */
  adapter: Pick<ClickHouseAdapter, 'execute' | 'database'>
  /** Rows that a caller may see when a question says nothing else. @default all rows */
  rowFilter?: RowFilter | undefined
  /**
   * Whether the user that a question runs as may read a rollup, and only its own rows of it. Where callers run at trust levels: `mayReadRollups` of their
   * `AccessControl`, and `adapter` one that sees all tables. Where it may not, the source is asked.
   * @default yes for a question without level and tenant, no for any other
   */
  mayReadRollups?: ((options: AskOptions, rollup: RollupTable) => boolean) | undefined
  /** How old the list of rollups may be, in milliseconds. @default 10000 */
  rollupsMaxAgeMs?: number | undefined
  /** Whose today it is. @default systemClock */
  clock?: Clock | undefined
}
