// Brings what the integration tests will start, while the steps before them run. What doesn't come now is asked for again
// by whoever needs it, who then says what is missing.
import { setPriority } from 'node:os'
import { findChromium } from './chromium/find-chromium.ts'
import { prepareKafka } from './kafka/prepare-kafka.ts'
import { findTimescaleDb } from './postgres/start-timescaledb.ts'
import { findRedis } from './redis/find-redis.ts'
import { findVersityGateway } from './s3/find-versitygw.ts'
import { findToxiproxy } from './toxiproxy/find-toxiproxy.ts'

/** Below the steps that run meanwhile. */
setPriority(10)
const { KAFKA_BROKERS, TIMESCALEDB_URL, TIMESCALEDB_18_URL } = process.env

/** The first that are waited for come first; two lines at a time leave the machine to others. */
const lines: readonly (readonly (() => Promise<unknown>)[])[] = [
  [...(KAFKA_BROKERS ? [] : [() => prepareKafka()]), () => findChromium(), () => findToxiproxy(), () => findVersityGateway()],
  [
    ...(TIMESCALEDB_URL ? [] : [() => findTimescaleDb(17)]),
    ...(TIMESCALEDB_18_URL ? [] : [() => findTimescaleDb(18)]),
    () => findRedis('redis-8'),
    () => findRedis('redis-7'),
    () => findRedis('valkey-8'),
  ],
]

await Promise.all(
  lines.map(async (line) => {
    for (const bring of line) await bring().catch(() => {})
  }),
)
