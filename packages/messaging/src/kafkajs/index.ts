// A transport over connections that kafkajs makes
export { createKafkaJsTransport } from './create-kafkajs-transport.ts'
export type { KafkaTransport } from '../kafka/client/kafka-transport.ts'
export type { KafkaCompression, KafkaTransportOptions } from '../kafka/options.ts'

// Connections that kafkajs makes
export { createKafkaJsConnections } from './create-kafkajs-connections.ts'
export type { KafkaConnectionOptions, KafkaPasswordOptions, KafkaSaslOptions, KafkaSecret, KafkaTokenOptions } from '../kafka/connections/connection-options.ts'
