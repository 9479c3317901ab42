import type { Scenario } from './scenario.ts'
import { cacheModels } from './scenarios/cache-models.ts'
import { cleanStops } from './scenarios/clean-stops.ts'
import { killAll } from './scenarios/kill-all.ts'
import { killBroker } from './scenarios/kill-broker.ts'
import { killClickHouse } from './scenarios/kill-clickhouse.ts'
import { killIngestors } from './scenarios/kill-ingestors.ts'
import { killPostgres } from './scenarios/kill-postgres.ts'
import { pauseIngestors } from './scenarios/pause-ingestors.ts'
import { models } from './scenarios/models.ts'
import { poison } from './scenarios/poison.ts'
import { storeGone } from './scenarios/store-gone.ts'
import { transactions } from './scenarios/transactions.ts'

/** Every run, in the order of `all`. */
export const SCENARIOS: readonly Scenario[] = [killIngestors, pauseIngestors, killClickHouse, killPostgres, killBroker, transactions, killAll, storeGone, poison, cleanStops, models, cacheModels]
