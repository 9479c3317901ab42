import { ConfigurationError, type Logger } from '@smart-whale/interfaces'
import { DEAD_LETTER_HEADROOM, letterRisksOf, MAX_MESSAGE_BYTES } from '../beside-topic.ts'
import { deadLetterTopic } from '../dead-letter.ts'
import type { MessagingTransport, TopicDescription, TransportCallOptions } from '../transport.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'

const DAY_MS = 86_400_000

/**
 * Looks, before a pipeline begins, at the settings of its topics that the promise rests on. What loses events only when brokers fail or
 * the pipeline stands still for long is logged; what makes offsets mean something else is refused.
 * @throws ConfigurationError `ERR_MESSAGING_TOPIC_UNSAFE`
 */
export async function checkTopic(transport: MessagingTransport, { name, topic }: PipelineDefinition, logger: Logger, call: TransportCallOptions): Promise<void> {
  const largest: number[] = []
  for (const each of [topic, deadLetterTopic(topic)]) {
    const description = await transport.topics.describe(each, call)
    if (description === null) continue
    largest.push(Number(description.configs[MAX_MESSAGE_BYTES] ?? Number.NaN))
    if (description.configs['unclean.leader.election.enable'] === 'true') {
      throw new ConfigurationError(
        `topic "${each}" of pipeline "${name}" may lose acknowledged messages and give their offsets to others (unclean.leader.election.enable = true): set it to false`,
        { code: 'ERR_MESSAGING_TOPIC_UNSAFE' },
      )
    }
    const risks = each === topic ? risksOf(description) : deadLetterRisksOf(description)
    for (const risk of risks) logger.warn({ topic: each, risk }, 'a setting of the topic weakens what the pipeline promises')
  }
  const [ofTopic = Number.NaN, ofLetters = Number.NaN] = largest
  if (ofLetters < ofTopic + DEAD_LETTER_HEADROOM) {
    const risk = `${MAX_MESSAGE_BYTES} = ${ofLetters}: a bad message of nearly the topic's largest size would halt the pipeline; set ${ofTopic + DEAD_LETTER_HEADROOM}`
    logger.warn({ topic: deadLetterTopic(topic), risk }, 'a setting of the topic weakens what the pipeline promises')
  }
}

/** What may cost events, each with what to set. */
export function risksOf(description: TopicDescription): string[] {
  const { configs } = description
  const number = (setting: string): number => Number(configs[setting] ?? Number.NaN)
  const risks = copyRisksOf(description)
  if (configs['cleanup.policy']?.includes('compact') === true) risks.push('cleanup.policy = compact: events may be removed before they are stored; set delete')
  const retentionMs = number('retention.ms')
  if (retentionMs >= 0 && retentionMs < DAY_MS) risks.push(`retention.ms = ${retentionMs}: events of an outage longer than that are gone; set a day or more`)
  const retentionBytes = number('retention.bytes')
  if (retentionBytes >= 0) risks.push(`retention.bytes = ${retentionBytes}: events may be removed before they are stored, however young; set -1`)
  return risks
}

/** What may cost dead letters, each with what to set: nobody else has what they hold, so that nothing but a hand may take them away. */
export const deadLetterRisksOf = (description: TopicDescription): string[] => [...copyRisksOf(description), ...letterRisksOf(description)]

function copyRisksOf({ replication, configs }: TopicDescription): string[] {
  const isRisky = replication > 1 && Number(configs['min.insync.replicas'] ?? Number.NaN) < 2
  return isRisky ? ['min.insync.replicas = 1: a broker that fails alone may take acknowledged messages with it; set 2'] : []
}
