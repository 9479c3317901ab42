import type { TopicDescription, TopicSettings } from './transport.ts'

/** What a dead letter, or a message that waits for its retry, carries beyond the message that it was: reason and origin, and what a batch puts around it. */
export const DEAD_LETTER_HEADROOM: number = 256 * 1024

/** How large a message a topic takes, by Kafka's own configuration. */
export const MAX_MESSAGE_BYTES = 'max.message.bytes'

const RETENTION_MS = 'retention.ms'
const MIN_IN_SYNC = 'min.insync.replicas'

/** The broker says when it took a message. By the sender's clock, one of a machine whose clock is more than an hour ahead would be refused: a bad message that nobody could put aside. */
const BY_BROKERS_CLOCK = { 'message.timestamp.type': 'LogAppendTime' } as const

/**
 * Kafka's configuration of a topic of dead letters. A letter is the only copy of an event that nothing else has stored: it stays until somebody
 * takes it away, whatever the cluster does with topics in general.
 */
export const DEAD_LETTER_CONFIGS: Readonly<Record<string, string>> = { 'cleanup.policy': 'delete', [RETENTION_MS]: '-1', 'retention.bytes': '-1', ...BY_BROKERS_CLOCK }

/** How the topic is made that the dead letters of another one go to. */
export function deadLetterSettings(topic: TopicDescription | null, partitions: number = topic?.partitions ?? 1): TopicSettings {
  return { partitions, replication: topic?.replication ?? 1, configs: { ...takingAsMuch(topic), ...DEAD_LETTER_CONFIGS } }
}

/** How the topic is made in which messages of another one wait for their retry: they are kept as long there as they would have been, and their wait besides. */
export function retryTopicSettings(topic: TopicDescription | null, delayMs: number): TopicSettings {
  const retentionMs = Number(topic?.configs[RETENTION_MS] ?? -1)
  const retention = retentionMs < 0 ? '-1' : String(Math.ceil(retentionMs + delayMs))
  const configs = { ...takingAsMuch(topic), 'cleanup.policy': 'delete', [RETENTION_MS]: retention, 'retention.bytes': '-1', ...BY_BROKERS_CLOCK }
  return { partitions: topic?.partitions ?? 1, replication: topic?.replication ?? 1, configs }
}

/** Whatever a topic takes, and as safely, the one beside it must take: a bad message that nobody could put aside would hold up its partition for good. */
function takingAsMuch(topic: TopicDescription | null): Record<string, string> {
  const configs: Record<string, string> = {}
  const largest = topic?.configs[MAX_MESSAGE_BYTES]
  if (largest !== undefined) configs[MAX_MESSAGE_BYTES] = String(Number(largest) + DEAD_LETTER_HEADROOM)
  const inSync = Number(topic?.configs[MIN_IN_SYNC] ?? 1)
  if (inSync > 1) configs[MIN_IN_SYNC] = String(inSync)
  return configs
}

/** What may cost dead letters that nobody has looked at yet, each with what to set. */
export function letterRisksOf({ configs }: Pick<TopicDescription, 'configs'>): string[] {
  const risks: string[] = []
  if (configs['cleanup.policy']?.includes('compact') === true) risks.push('cleanup.policy = compact: of the dead letters of one key only the last one stays; set delete')
  const retentionMs = Number(configs[RETENTION_MS] ?? -1)
  if (retentionMs >= 0) risks.push(`${RETENTION_MS} = ${retentionMs}: dead letters are removed after ${lengthOf(retentionMs)}, mended or not; set -1`)
  const retentionBytes = Number(configs['retention.bytes'] ?? -1)
  if (retentionBytes >= 0) risks.push(`retention.bytes = ${retentionBytes}: dead letters are removed however young, mended or not; set -1`)
  return risks
}

const HOUR_MS = 3_600_000

const lengthOf = (ms: number): string => (ms >= 48 * HOUR_MS ? `${Math.floor(ms / (24 * HOUR_MS))} days` : `${Math.floor(ms / HOUR_MS)} hours`)
