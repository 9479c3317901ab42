import type { Closers } from '@smart-whale/app-process'
import { ConfigurationError, type Logger } from '@smart-whale/interfaces'
import type { MessagingTransport } from '@smart-whale/messaging'
import { DEFAULT_REPLICATION } from '@smart-whale/messaging/pipeline'
import type { IngestorConfig } from './config.ts'
import { forOperator } from './kafka-variable-names.ts'

/** The topics decide how large a message may be: a dead letter has to go wherever its message came from. */
const MAX_RECORD_BYTES = 128 * 1024 * 1024

/** Reaches the broker that the configuration names. What goes wrong is told by the names of its variables. */
export async function openBroker(config: Pick<IngestorConfig, 'broker'>, closers: Closers, logger: Logger, signal: AbortSignal): Promise<MessagingTransport> {
  try {
    const transport = await createTransport(config, logger)
    closers.add('broker', () => transport.stop())
    await transport.start({ signal })
    return transport
  } catch (error) {
    throw forOperator(error)
  }
}

/** Loads the one transport that the process speaks through, and not the others. */
async function createTransport({ broker }: Pick<IngestorConfig, 'broker'>, logger: Logger): Promise<MessagingTransport> {
  if ('dataDir' in broker) {
    const { createMemoryTransport } = await import('@smart-whale/messaging/memory')
    return createMemoryTransport({ dataDir: broker.dataDir, logger })
  }
  const { library, connection, compression, sessionTimeoutMs } = broker.kafka
  const options = { ...connection, compression, sessionTimeoutMs, maxRecordBytes: MAX_RECORD_BYTES, logger }
  if (library === 'kafkajs') return (await import('@smart-whale/messaging/kafkajs')).createKafkaJsTransport(options)
  return (await import('@smart-whale/messaging/platformatic')).createPlatformaticTransport(options)
}

/** Brokers that a topic made by us is copied to. @throws ConfigurationError when more are wanted than there are */
export async function replicationFor({ broker }: Pick<IngestorConfig, 'broker'>, transport: MessagingTransport, signal?: AbortSignal): Promise<number> {
  const brokers = await transport.topics.brokerCount({ signal })
  const wanted = 'kafka' in broker ? broker.kafka.replication : undefined
  if (wanted !== undefined && wanted > brokers) {
    throw new ConfigurationError(`KAFKA_REPLICATION is ${wanted}, but the cluster has ${brokers === 1 ? 'one broker' : `${brokers} brokers`}; lower it, or add brokers`)
  }
  return wanted ?? Math.min(DEFAULT_REPLICATION, brokers)
}
