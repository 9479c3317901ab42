import { createKafkaTransport, type KafkaTransport } from '../kafka/client/kafka-transport.ts'
import type { KafkaConnectionOptions } from '../kafka/connections/connection-options.ts'
import type { KafkaTransportOptions } from '../kafka/options.ts'
import { createPlatformaticConnections } from './create-platformatic-connections.ts'

/**
 * A transport on Kafka over connections that `@platformatic/kafka` makes; groups, sending and reading are our own.
 *
 * @throws ConfigurationError `ERR_MESSAGING_OPTION`
 */
export function createPlatformaticTransport(options: KafkaConnectionOptions & KafkaTransportOptions): KafkaTransport {
  return createKafkaTransport(createPlatformaticConnections(options), options)
}
