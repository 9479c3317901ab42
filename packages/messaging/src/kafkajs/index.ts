// Connections that kafkajs makes
export { createKafkaJsConnections } from './create-kafkajs-connections.ts'
export type { KafkaConnectionOptions, KafkaPasswordOptions, KafkaSaslOptions, KafkaSecret, KafkaTokenOptions } from '../kafka/connections/connection-options.ts'
