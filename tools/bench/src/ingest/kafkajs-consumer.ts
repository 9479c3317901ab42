import { type Consumer, Kafka, logLevel } from 'kafkajs'

/** A consumer of a group of its own. */
export function consumerOf(brokers: readonly string[]): Consumer {
  const kafka = new Kafka({ brokers: [...brokers], clientId: 'bench', logLevel: logLevel.NOTHING })
  // A session survives the pauses between two slices of a benchmark. Fetches as large as the other contenders' are.
  return kafka.consumer({ groupId: `bench-${crypto.randomUUID()}`, sessionTimeout: 120_000, rebalanceTimeout: 120_000, maxBytesPerPartition: 4 * 1024 * 1024, maxWaitTimeInMs: 100 })
}
