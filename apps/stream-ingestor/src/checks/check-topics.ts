import type { MessagingTransport, TopicDescription } from '@smart-whale/messaging'
import { deadLetterTopic } from '@smart-whale/messaging/dead-letters'
import { deadLetterRisksOf, type PipelineDefinition, risksOf } from '@smart-whale/messaging/pipeline'
import { type CheckResult, good, warning, wrong } from './check-result.ts'
import { count } from '../commands/words.ts'

/** Compares a pipeline's topic and its dead letters with what is declared, and with what the promise rests on. */
export async function checkTopics(definition: PipelineDefinition, transport: MessagingTransport, replication: number, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const { topic, partitions } = definition
  const letters = deadLetterTopic(topic)
  const [events, dead] = await Promise.all([transport.topics.describe(topic, { signal }), transport.topics.describe(letters, { signal })])
  return [
    ...(events === null ? [warning(`topic ${topic}`, `is not there; the start makes it, with ${count(partitions, 'partition')} × ${replication}`)] : checkTopic(events, replication, partitions)),
    ...(dead === null ? [warning(`topic ${letters}`, `is not there; the start makes it, with 1 partition × ${replication}`)] : checkTopic(dead, replication, null)),
  ]
}

/** Dead letters have as many partitions as they like: null. */
function checkTopic(description: TopicDescription, replication: number, partitions: number | null): CheckResult[] {
  const about = `topic ${description.name}`
  const risks = partitions === null ? deadLetterRisksOf(description) : risksOf(description)
  const results: CheckResult[] = risks.map((risk) => warning(about, risk))
  if (description.configs['unclean.leader.election.enable'] === 'true') results.push(wrong(about, 'unclean.leader.election.enable = true: acknowledged messages may be lost and their offsets given to others; set false'))
  if (description.replication < replication) results.push(warning(about, `has ${count(description.replication, 'copy', 'copies')}, wanted are ${replication}: a broker that is lost takes its messages with it; reassign its partitions`))
  if (partitions !== null && description.partitions !== partitions) {
    const remedy = description.partitions < partitions ? `raise it with kafka-topics --alter --partitions ${partitions}; keys then move to other partitions` : 'partitions can not be taken away; declare what it has'
    results.push(warning(about, `has ${count(description.partitions, 'partition')}, declared are ${partitions}: ${remedy}`))
  }
  return results.length > 0 ? results : [good(about, `${count(description.partitions, 'partition')} × ${description.replication}`)]
}
