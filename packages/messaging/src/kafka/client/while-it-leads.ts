import type { Clock, TimerHandle } from '@smart-whale/interfaces'
import { kafkaError } from '../../errors.ts'
import type { ClusterView, PartitionLeader } from '../cluster-view.ts'

/** A request to a partition's leader. */
export interface LedRequest {
  readonly view: ClusterView
  readonly clock: Clock
  readonly topic: string
  readonly partition: number
  /** To whom it goes. */
  readonly leader: PartitionLeader
  readonly signal: AbortSignal
}

/** A leader that hasn't answered for so long may be none any more: the others are asked, and asked again. */
const LOOK_AFTER_MS = 1_500

/**
 * Runs a request until it is answered, or the partition is led by another broker by now: a broker that stands still answers nobody
 * and breaks no connection. The request then ends with a retryable error; whether it was carried out is unknown.
 */
export async function whileItLeads<T>(request: LedRequest, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { view, clock, topic, partition, leader, signal } = request
  const ended = new AbortController()
  const onAbort = (): void => ended.abort(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  let hasMoved = false
  let timer: TimerHandle
  const look = (): void => {
    const now = view.leader(topic, partition)
    hasMoved = now !== undefined && now.epoch > leader.epoch
    if (hasMoved) return ended.abort(movedError(topic, partition))
    view.freshen(topic)
    timer = clock.setTimeout(look, LOOK_AFTER_MS)
  }
  timer = clock.setTimeout(look, LOOK_AFTER_MS)
  try {
    return await run(ended.signal)
  } catch (error) {
    throw hasMoved && !signal.aborted ? movedError(topic, partition) : error
  } finally {
    clock.clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

function movedError(topic: string, partition: number): Error {
  const message = `partition ${partition} of topic "${topic}" is led by another broker than was asked and didn't answer; ask that one`
  return kafkaError('ERR_MESSAGING_CONNECTION', message, { retryable: true, status: 503, context: { topic, partition } })
}
