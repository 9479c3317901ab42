import { type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { kindOf, optionError } from '../errors.ts'

/** How batches are compressed on their way to the broker, and in its log. */
export type KafkaCompression = 'none' | 'gzip'

/** How a transport on Kafka works, whichever library its connections are of. */
export interface KafkaTransportOptions {
  /**
   * How long a group waits for a member that it doesn't hear from before its partitions go to the others, in milliseconds.
   * Within the broker's `group.min.session.timeout.ms` and `group.max.session.timeout.ms`. @default 10_000
   */
  sessionTimeoutMs?: number | undefined
  /** How often a member says that it is there, and hears of a rebalance, in milliseconds. At most a third of `sessionTimeoutMs`. @default 1_000, or a tenth of sessionTimeoutMs if that is less */
  heartbeatIntervalMs?: number | undefined
  /** How long the group waits for members to take part in a rebalance, in milliseconds. Handlers go on meanwhile. @default 60_000 */
  rebalanceTimeoutMs?: number | undefined
  /** How long the handler of a revoked partition may take to return before the partition is taken from it, in milliseconds. @default 30_000 */
  handoverTimeoutMs?: number | undefined
  /** Bytes that the key and value of one record may have together. With its headers it must fit into the broker's `message.max.bytes`. @default 1_000_000 */
  maxRecordBytes?: number | undefined
  /** Bytes of records that go to a partition in one request. A larger record goes alone. @default 524_288 */
  maxBatchBytes?: number | undefined
  /** Bytes of records that may be on their way to the broker, of all topics; beyond them a sender waits. @default 33_554_432 */
  maxPendingBytes?: number | undefined
  /** How long a batch waits for more records to join it, in milliseconds. While one is on its way the next one gathers anyhow. @default 0 */
  lingerMs?: number | undefined
  /** How batches are compressed. @default 'none' */
  compression?: KafkaCompression | undefined
  /** Connections to each broker for sending: it works on the requests of one connection in turn. @default 2 */
  produceConnections?: number | undefined
  /** How long one request may take before it is given up and repeated elsewhere, in milliseconds. @default 8_000 */
  requestTimeoutMs?: number | undefined
  /** Bytes of one partition's records in one fetch. Two of these may be held in memory for each partition that is read. @default 1_048_576 */
  maxPartitionFetchBytes?: number | undefined
  /** Bytes of all partitions' records in one fetch. @default 2_097_152 */
  maxFetchBytes?: number | undefined
  /** How long a fetch waits at the broker when there is nothing new, in milliseconds. @default 300 */
  fetchMaxWaitMs?: number | undefined
  /** After how long a topic's leaders and partitions are asked for anew, in milliseconds. Errors have them asked for at once. @default 5_000 */
  metadataMaxAgeMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Where the transport logs. @default silentLogger */
  logger?: Logger | undefined
}

/** {@link KafkaTransportOptions} with every default in place. */
export type KafkaTransportSettings = { readonly [Name in keyof KafkaTransportOptions]-?: NonNullable<KafkaTransportOptions[Name]> }

const COMPRESSIONS: readonly KafkaCompression[] = ['none', 'gzip']
const MIB = 1024 * 1024

/** Checks the options and puts the defaults in place. */
export function kafkaTransportSettings(options: KafkaTransportOptions = {}): KafkaTransportSettings {
  const compression = options.compression ?? 'none'
  if (!COMPRESSIONS.includes(compression)) throw optionError('compression', compression, `one of ${COMPRESSIONS.join(', ')}`)
  const sessionTimeoutMs = duration('sessionTimeoutMs', options.sessionTimeoutMs ?? 10_000, 100)
  const heartbeatIntervalMs = duration('heartbeatIntervalMs', options.heartbeatIntervalMs ?? Math.min(1_000, Math.floor(sessionTimeoutMs / 10)), 10)
  if (heartbeatIntervalMs * 3 > sessionTimeoutMs) {
    throw optionError('heartbeatIntervalMs', heartbeatIntervalMs, `at most a third of sessionTimeoutMs, which is ${sessionTimeoutMs}`)
  }
  return {
    sessionTimeoutMs,
    heartbeatIntervalMs,
    compression,
    rebalanceTimeoutMs: duration('rebalanceTimeoutMs', options.rebalanceTimeoutMs ?? 60_000, 100),
    handoverTimeoutMs: duration('handoverTimeoutMs', options.handoverTimeoutMs ?? 30_000),
    maxRecordBytes: count('maxRecordBytes', options.maxRecordBytes ?? 1_000_000, 128 * MIB),
    maxBatchBytes: count('maxBatchBytes', options.maxBatchBytes ?? 512 * 1024, 128 * MIB),
    maxPendingBytes: count('maxPendingBytes', options.maxPendingBytes ?? 32 * MIB),
    lingerMs: duration('lingerMs', options.lingerMs ?? 0),
    produceConnections: count('produceConnections', options.produceConnections ?? 2, 64),
    requestTimeoutMs: duration('requestTimeoutMs', options.requestTimeoutMs ?? 8_000, 1),
    maxPartitionFetchBytes: count('maxPartitionFetchBytes', options.maxPartitionFetchBytes ?? MIB, 128 * MIB),
    maxFetchBytes: count('maxFetchBytes', options.maxFetchBytes ?? 2 * MIB, 1024 * MIB),
    fetchMaxWaitMs: duration('fetchMaxWaitMs', options.fetchMaxWaitMs ?? 300),
    metadataMaxAgeMs: duration('metadataMaxAgeMs', options.metadataMaxAgeMs ?? 5_000, 1),
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
  }
}

function count(name: string, value: unknown, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return value
  throw optionError(name, value, `a whole number from 1 to ${most}`)
}

function duration(name: string, value: unknown, least = 0): number {
  if (typeof value === 'number' && value >= least && value <= 2 ** 31 - 1) return value
  throw optionError(name, value, `milliseconds from ${least} to ${2 ** 31 - 1}, not ${kindOf(value)}`)
}
