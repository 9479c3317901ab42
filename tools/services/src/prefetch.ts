// Brings what the integration tests will start, while the steps before them run. What doesn't come now is asked for again
// by whoever needs it, who then says what is missing.
import { setPriority } from 'node:os'
import { prepareKafka } from './kafka/prepare-kafka.ts'
import { findTimescaleDb } from './postgres/start-timescaledb.ts'

/** Below the steps that run meanwhile. */
setPriority(10)
const { KAFKA_BROKERS, TIMESCALEDB_URL, TIMESCALEDB_18_URL } = process.env
await Promise.allSettled([
  ...(KAFKA_BROKERS ? [] : [prepareKafka()]),
  ...(TIMESCALEDB_URL ? [] : [findTimescaleDb(17)]),
  ...(TIMESCALEDB_18_URL ? [] : [findTimescaleDb(18)]),
])
