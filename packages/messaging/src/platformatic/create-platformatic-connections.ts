import { kafkaConfigurationError } from '../errors.ts'
import type { KafkaConnectionOptions } from '../kafka/connections/connection-options.ts'
import { connectionSettings } from '../kafka/connections/connection-settings.ts'
import { createLinkPool } from '../kafka/connections/link-pool.ts'
import type { KafkaConnections } from '../kafka/kafka-api.ts'
import { openPlatformaticLink, type PlatformaticLibrary } from './platformatic-link.ts'

/**
 * Connections to Kafka's brokers, made by `@platformatic/kafka`; none is made before the first request.
 *
 * @throws ConfigurationError `ERR_MESSAGING_OPTION`
 */
export function createPlatformaticConnections(options: KafkaConnectionOptions): KafkaConnections {
  const settings = connectionSettings(options)
  let library: Promise<PlatformaticLibrary> | undefined
  return createLinkPool(settings, async (broker, signal) => {
    library ??= loadLibrary()
    return openPlatformaticLink(await library, settings, broker, signal)
  })
}

/** On first use: the library is an optional peer. */
async function loadLibrary(): Promise<PlatformaticLibrary> {
  try {
    const { Connection, Writer } = await import('@platformatic/kafka')
    if (typeof Connection === 'function' && typeof Writer?.create === 'function') return { Connection, Writer }
  } catch (cause) {
    throw missingPeer('is not installed', cause)
  }
  throw missingPeer('is another version than this package works with')
}

function missingPeer(how: string, cause?: unknown): Error {
  return kafkaConfigurationError('ERR_MESSAGING_MISSING_PEER', `@platformatic/kafka ${how}: add @platformatic/kafka@^2.12.1`, {
    cause,
    context: { package: '@platformatic/kafka' },
  })
}
