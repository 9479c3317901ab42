import type { MessagingErrorCode } from '../errors.ts'
import { kindOf, messagingError, messagingValidationError } from '../errors.ts'
import type { TopicSettings } from '../transport.ts'
import type { Retention } from './log/partition-log.ts'
import type { MemoryBrokerSettings } from './options.ts'

const MAX_PARTITIONS = 10_000
/** How much of a topic's bound retention leaves to records, so that segments and what waits find room beside them. */
const RETAINED_SHARE = 0.75

/** A topic's settings, checked and with every default in place. */
export interface CheckedTopicSettings {
  /** How many partitions the topic has. @default none, required */
  readonly partitions: number
  /** Brokers that have each partition: 1, as there is one broker. @default 1 */
  readonly replication: number
  /** Kafka's topic configuration as it was given; the numbers in it that the broker heeds are checked. @default {} */
  readonly configs: Readonly<Record<string, string>>
}

/** Refuses what this broker can't do, as a Kafka of one broker would. */
export function checkTopicSettings(name: string, settings: TopicSettings): CheckedTopicSettings {
  const { partitions, replication = 1, configs = {} } = settings
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
    throw wrong(name, 'partitions', `must be a whole number from 1 to ${MAX_PARTITIONS}, got ${kindOf(partitions)}`)
  }
  if (replication !== 1) throw wrong(name, 'replication', `can't be ${kindOf(replication)}: there is 1 broker`)
  for (const [key, value] of Object.entries(configs)) {
    if (typeof value !== 'string') throw wrong(name, `configs.${key}`, `must be a string, got ${kindOf(value)}`)
  }
  if (configs['cleanup.policy']?.includes('compact')) {
    throw messagingError('ERR_MESSAGING_TOPIC_SETTINGS', `topic "${name}" can't be compacted: the memory transport knows cleanup.policy=delete only`, {
      status: 400,
      context: { topic: name },
    })
  }
  for (const key of NUMERIC_CONFIGS) numericConfig(name, configs, key)
  return { partitions, replication, configs: { ...configs } }
}

const NUMERIC_CONFIGS = ['retention.bytes', 'retention.ms', 'segment.bytes', 'max.message.bytes']

/** What of a topic's configuration decides how a partition's log is kept. */
export function logSettings(
  name: string,
  { partitions, configs }: CheckedTopicSettings,
  broker: MemoryBrokerSettings,
): { retention: Retention; segmentBytes: number } {
  const retentionBytes = numericConfig(name, configs, 'retention.bytes')
  const maxBytes = retentionBytes === undefined ? undefined : Math.min(retentionBytes, Math.floor((broker.maxTopicBytes * RETAINED_SHARE) / partitions))
  // Whole segments are removed: a bound that is small needs small ones.
  const segmentBytes = Math.min(numericConfig(name, configs, 'segment.bytes') ?? broker.segmentBytes, Math.ceil((maxBytes ?? Infinity) / 8))
  return { retention: { maxBytes, maxAgeMs: numericConfig(name, configs, 'retention.ms') }, segmentBytes }
}

/** The most bytes of a record's key and value in this topic. */
export function maxRecordBytesOf(name: string, configs: Readonly<Record<string, string>>, broker: MemoryBrokerSettings): number {
  return Math.min(broker.maxRecordBytes, numericConfig(name, configs, 'max.message.bytes') ?? Infinity)
}

/** -1 means "no bound" in Kafka's configuration. */
function numericConfig(topic: string, configs: Readonly<Record<string, string>>, key: string): number | undefined {
  const text = configs[key]
  if (text === undefined || text.trim() === '-1') return undefined
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 1) throw wrong(topic, `configs.${key}`, `must be a whole number from 1, or -1, got "${text}"`)
  return value
}

function wrong(topic: string, field: string, message: string): Error {
  const code: MessagingErrorCode = 'ERR_MESSAGING_TOPIC_SETTINGS'
  return messagingValidationError(code, `topic "${topic}": ${field} ${message}`, [{ path: field.split('.', 1), message }], { topic, field })
}
