import { MIN_SESSION_TIMEOUT_MS } from '../services/src/kafka/broker-properties.ts'
import { startKafka } from '../services/src/kafka/start-kafka.ts'
import { type FoundEngine, type RunningEngine, startIfPossible } from './found.ts'

/** Where tests find Apache Kafka. */
export interface TestKafka {
  /** `host:port` of each broker. */
  readonly brokers: readonly string[]
  /** Shortest session timeout that the brokers let a group member have, where that is known. */
  readonly minSessionTimeoutMs?: number
  /** Version of the brokers, where that is known. */
  readonly version?: string
}

/** The brokers that the environment names. */
export function findTestKafka(): FoundEngine<TestKafka> {
  const addresses = process.env.KAFKA_BROKERS
  if (addresses === undefined || addresses === '') return { found: null, remedy: 'set KAFKA_BROKERS=host:port' }
  return { found: { brokers: addresses.split(',') } }
}

/** The brokers that the environment names, else one of our own for this run. */
export function startTestKafka(): Promise<RunningEngine<TestKafka>> {
  const named = findTestKafka()
  if (named.found !== null) return Promise.resolve({ engine: named, stop: async () => {} })
  return startIfPossible('KAFKA_BROKERS=host:port', async () => {
    const { brokers, version, stop } = await startKafka()
    return { address: { brokers, version, minSessionTimeoutMs: MIN_SESSION_TIMEOUT_MS }, stop }
  })
}
