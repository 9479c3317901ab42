import type { HotPath } from './hot-path.ts'
import { bulkInsert } from './hot-paths/bulk-insert.ts'
import { cacheMemory } from './hot-paths/cache-memory.ts'
import { cacheRedis } from './hot-paths/cache-redis.ts'
import { cacheSmartGet } from './hot-paths/cache-smart-get.ts'
import { consumeLarge, consumeSmall } from './hot-paths/consume.ts'
import { graphqlAnswer, restAnswer } from './hot-paths/http-answers.ts'
import { ingestPassthrough, ingestScaling, ingestTyped } from './hot-paths/ingest.ts'
import { insertEvents, insertFlights } from './hot-paths/insert-typed-rows.ts'
import { labelledCounter, labelledHistogram } from './hot-paths/measurements.ts'
import { messageValidation } from './hot-paths/message-validation.ts'
import { oneRowByKey, oneRowWithoutTable } from './hot-paths/one-row-query.ts'
import { produceLarge, produceSmall } from './hot-paths/produce.ts'
import { fivePolicies, openBreaker, singlePolicies } from './hot-paths/resilience.ts'
import { tokenVerifications } from './hot-paths/token-verify.ts'

/** Everything that `npm run bench` measures, in the order of the report. */
export const HOT_PATHS: readonly HotPath[] = [
  ingestTyped,
  ingestPassthrough,
  ingestScaling,
  produceSmall,
  produceLarge,
  consumeSmall,
  consumeLarge,
  insertFlights,
  insertEvents,
  bulkInsert,
  oneRowWithoutTable,
  oneRowByKey,
  restAnswer,
  graphqlAnswer,
  ...tokenVerifications,
  labelledCounter,
  labelledHistogram,
  fivePolicies,
  openBreaker,
  ...singlePolicies,
  cacheMemory,
  cacheSmartGet,
  cacheRedis,
  messageValidation,
]
