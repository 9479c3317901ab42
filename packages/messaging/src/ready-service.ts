import { EnvironmentTransport } from './environment-transport.ts'
import type { KafkaConfig } from './kafka-config.ts'
import { KafkaService } from './kafka-service.ts'
import type { MessagingTransport } from './transport.ts'

/** Loads the library that a configuration names; each is an optional peer. */
async function loadTransport({ library, connection, compression }: KafkaConfig): Promise<MessagingTransport> {
  if (library === 'platformatic') return (await import('./platformatic/index.ts')).createPlatformaticTransport({ ...connection, compression })
  return (await import('./kafkajs/index.ts')).createKafkaJsTransport({ ...connection, compression })
}

/**
 * A transport to the Kafka cluster that the environment names; see `readKafkaConfig`. It is read, and its library loaded, at `start`.
 *
 * @param environment @default process.env
 */
export const createEnvironmentTransport = (environment?: Readonly<Record<string, string | undefined>>): MessagingTransport => new EnvironmentTransport(loadTransport, environment)

/** A service on the Kafka cluster that `KAFKA_*` in the environment names. Nothing is read, loaded or reached before it connects. */
export const kafkaService: KafkaService = /* @__PURE__ */ new KafkaService(/* @__PURE__ */ createEnvironmentTransport())
