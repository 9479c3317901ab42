import { InfrastructureError } from '@smart-whale/interfaces'
import { BROKER, brokerError, isLeadershipError } from '../broker-errors.ts'
import type { PartitionLeader } from '../cluster-view.ts'
import type { KafkaNode } from '../kafka-api.ts'
import type { TopicMetadata } from '../topic-metadata.ts'
import type { KafkaClient } from './kafka-client.ts'
import { topicReplaced } from './topic-replaced.ts'
import { whileItLeads } from './while-it-leads.ts'

/** One call to whoever leads a partition. */
export interface LeaderCall<T> {
  readonly topic: string
  /** When given, the call is for the topic of this id only, and not for another one under its name. */
  readonly topicId?: string | undefined
  readonly partition: number
  /** What is done, for messages. */
  readonly what: string
  readonly signal: AbortSignal
  readonly call: (target: KafkaNode, leaderEpoch: number, signal: AbortSignal) => Promise<T>
}

/**
 * Repeats a call until the partition's leader has answered it, wherever that moves; only the signal ends it early.
 *
 * @throws OperationError `ERR_MESSAGING_TOPIC_NOT_FOUND` when the topic is gone
 */
export function callLeader<T extends { readonly errorCode: number }>(client: KafkaClient, leaderCall: LeaderCall<T>): Promise<T> {
  const { what, topic, partition, call, signal } = leaderCall
  const { view, clock } = client
  return client.retry.execute(
    async () => {
      const leader = await findLeader(client, leaderCall)
      const answer = await noticing(client, topic, leader.node, () =>
        whileItLeads({ view, clock, topic, partition, leader, signal }, (led) => call(leader.node, leader.epoch, led)),
      )
      if (answer.errorCode === BROKER.NONE) return answer
      if (isLeadershipError(answer.errorCode)) client.view.doubt(topic)
      throw brokerError(answer.errorCode, what)
    },
    { signal },
  )
}

/** Who leads the partition; asks when that is not known. */
export async function findLeader(
  { view }: KafkaClient,
  { topic, topicId, partition, what, signal }: Omit<LeaderCall<unknown>, 'call'>,
): Promise<PartitionLeader> {
  const found: TopicMetadata = await view.topic(topic, signal)
  if (topicId !== undefined && found.id !== topicId) throw topicReplaced(topic, topicId, found.id)
  const leader = view.leader(topic, partition)
  if (leader !== undefined) return leader
  view.doubt(topic)
  throw brokerError(BROKER.LEADER_NOT_AVAILABLE, what)
}

/** Asks a broker, and remembers when it didn't answer: who leads is looked up anew then, elsewhere first. */
export async function noticing<T>({ view }: KafkaClient, topic: string, node: KafkaNode, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (InfrastructureError.isInstance(error) && error.retryable) {
      view.avoid(node)
      view.doubt(topic)
    }
    throw error
  }
}
