import { type Clock, InfrastructureError } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import { BROKER, brokerError, isLeadershipError } from '../broker-errors.ts'
import type { ClusterView } from '../cluster-view.ts'
import type { KafkaTarget } from '../kafka-api.ts'

/** One call to whoever leads a partition. */
export interface LeaderCall<T> {
  readonly view: ClusterView
  readonly clock: Clock
  readonly topic: string
  readonly partition: number
  /** What is done, for messages. */
  readonly what: string
  readonly signal: AbortSignal
  readonly call: (target: KafkaTarget, leaderEpoch: number) => Promise<T>
}

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500

/** Repeats a call until the partition's leader has answered it, wherever that moves; only the signal ends it early. */
export async function callLeader<T extends { readonly errorCode: number }>(leaderCall: LeaderCall<T>): Promise<T> {
  const { view, clock, topic, partition, what, signal, call } = leaderCall
  for (let attempt = 0; ; attempt++) {
    if (attempt > 0) await sleep(pauseMs(attempt), { signal, clock })
    await view.topic(topic, signal)
    const leader = view.leader(topic, partition)
    if (leader === undefined) {
      view.doubt(topic)
      continue
    }
    try {
      const answer = await call(leader.node, leader.epoch)
      if (answer.errorCode === BROKER.NONE || answer.errorCode === BROKER.OFFSET_OUT_OF_RANGE) return answer
      const error = brokerError(answer.errorCode, what)
      if (!error.retryable) throw error
      if (isLeadershipError(answer.errorCode)) view.doubt(topic)
    } catch (error) {
      if (signal.aborted || !(InfrastructureError.isInstance(error) && error.retryable)) throw error
      view.avoid(leader.node)
      view.doubt(topic)
    }
  }
}

/** 20 ms, 40 ms, … half a second, half of it by chance. */
export function pauseMs(attempt: number): number {
  const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}
