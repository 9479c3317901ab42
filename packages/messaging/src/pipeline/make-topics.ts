import { deadLetterSettings } from '../beside-topic.ts'
import { deadLetterTopic } from '../dead-letter.ts'
import type { MessagingTransport, TransportCallOptions } from '../transport.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'

/** Makes the topic and its dead letters where they are missing; those that are there stay as they are. */
export async function makeTopics(transport: MessagingTransport, { topic, partitions }: PipelineDefinition, replication: number, call: TransportCallOptions): Promise<void> {
  await transport.topics.create(topic, { partitions, replication }, call)
  const settings = deadLetterSettings(await transport.topics.describe(topic, call), 1)
  await transport.topics.create(deadLetterTopic(topic), { ...settings, replication }, call)
}
