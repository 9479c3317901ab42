// A transport over connections that @platformatic/kafka makes
export { createPlatformaticTransport } from './create-platformatic-transport.ts'
export type { KafkaTransport } from '../kafka/client/kafka-transport.ts'
export type { KafkaCompression, KafkaTransportOptions } from '../kafka/options.ts'

// Connections that @platformatic/kafka makes
export { createPlatformaticConnections } from './create-platformatic-connections.ts'
export type { KafkaConnectionOptions, KafkaPasswordOptions, KafkaSaslOptions, KafkaSecret, KafkaTokenOptions } from '../kafka/connections/connection-options.ts'
