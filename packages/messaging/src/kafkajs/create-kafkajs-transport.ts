import { createKafkaTransport, type KafkaTransport } from '../kafka/client/kafka-transport.ts'
import type { KafkaConnectionOptions } from '../kafka/connections/connection-options.ts'
import type { KafkaTransportOptions } from '../kafka/options.ts'
import { createKafkaJsConnections } from './create-kafkajs-connections.ts'

/**
 * A transport on Kafka over connections that `kafkajs` makes; groups, sending and reading are our own.
 *
 * @throws ConfigurationError `ERR_MESSAGING_OPTION`
 */
export function createKafkaJsTransport(options: KafkaConnectionOptions & KafkaTransportOptions): KafkaTransport {
  return createKafkaTransport(createKafkaJsConnections(options), options)
}
