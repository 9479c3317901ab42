import type { KafkaConnectionOptions } from '../kafka/connections/connection-options.ts'
import { connectionSettings } from '../kafka/connections/connection-settings.ts'
import { createLinkPool } from '../kafka/connections/link-pool.ts'
import type { KafkaConnections } from '../kafka/kafka-api.ts'
import { type KafkaJsConnectionClass, loadKafkaJs } from './kafkajs-library.ts'
import { openKafkaJsLink } from './kafkajs-link.ts'

/**
 * Connections to Kafka's brokers, made by kafkajs; none is made before the first request.
 *
 * @throws ConfigurationError `ERR_MESSAGING_OPTION`
 */
export function createKafkaJsConnections(options: KafkaConnectionOptions): KafkaConnections {
  const settings = connectionSettings(options)
  let library: Promise<KafkaJsConnectionClass> | undefined
  return createLinkPool(settings, async (broker, signal) => {
    library ??= loadKafkaJs()
    return openKafkaJsLink(await library, settings, broker, signal)
  })
}
