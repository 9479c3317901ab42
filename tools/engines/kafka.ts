import type { FoundEngine } from './found.ts'

/** Where tests find Apache Kafka. */
export interface TestKafka {
  /** `host:port` of each broker. */
  readonly brokers: readonly string[]
}

/** The brokers that the environment names. */
export function findTestKafka(): FoundEngine<TestKafka> {
  const addresses = process.env.KAFKA_BROKERS
  if (addresses === undefined || addresses === '') return { found: null, remedy: 'set KAFKA_BROKERS=host:port' }
  return { found: { brokers: addresses.split(',') } }
}
