import { deadLetterTopic } from '../dead-letter.ts'
import type { MessagingTransport, TransportCallOptions } from '../transport.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'

/** What a dead letter carries beyond the message that it was: reason and origin, and what a batch puts around it. */
export const DEAD_LETTER_HEADROOM: number = 256 * 1024

/** How large a message a topic takes, by Kafka's own configuration. */
export const MAX_MESSAGE_BYTES = 'max.message.bytes'

/**
 * Makes the topic and its dead letters where they are missing. The dead letters take whatever the topic takes, with room for what is added:
 * a bad message that nobody could put aside would hold up its partition for good.
 */
export async function makeTopics(transport: MessagingTransport, { topic, partitions }: PipelineDefinition, replication: number, call: TransportCallOptions): Promise<void> {
  await transport.topics.create(topic, { partitions, replication }, call)
  const largest = (await transport.topics.describe(topic, call))?.configs[MAX_MESSAGE_BYTES]
  const configs = largest === undefined ? {} : { [MAX_MESSAGE_BYTES]: String(Number(largest) + DEAD_LETTER_HEADROOM) }
  await transport.topics.create(deadLetterTopic(topic), { partitions: 1, replication, configs }, call)
}
