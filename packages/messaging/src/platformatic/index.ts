// Connections that @platformatic/kafka makes
export { createPlatformaticConnections } from './create-platformatic-connections.ts'
export type { KafkaConnectionOptions, KafkaPasswordOptions, KafkaSaslOptions, KafkaSecret, KafkaTokenOptions } from '../kafka/connections/connection-options.ts'
