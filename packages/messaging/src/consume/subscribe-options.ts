import type { Policy } from '@smart-whale/interfaces'
import type { StartFrom } from '../transport.ts'
import type { BadMessageBreakerOptions } from './bad-message-breaker.ts'
import type { RetryTopicsOptions } from './retry-topic.ts'

/** How one subscription works. */
export interface SubscribeOptions {
  /**
   * How many handlers run at a time in each partition (in all partitions and lanes together for `subscribeLanes`). With 1, messages are
   * handled in the order of their partition; with more, in the order of their key, and those without a key in none.
   * @default 1
   */
  concurrency?: number | undefined
  /** Where to begin in a partition for which the group has committed nothing. @default 'earliest' */
  startFrom?: StartFrom | undefined
  /** How many messages, in each partition, reading may be ahead of the lowest one that is not done; it goes on when half of it is free. @default 1_000 */
  maxInFlight?: number | undefined
  /** The longest that progress waits for its commit, in milliseconds; a process that is killed repeats so much at most. @default 200 */
  commitIntervalMs?: number | undefined
  /** How a handler that fails is run again at once, while its key (or its partition) waits. @default the service's; once only with `retryTopics` */
  retry?: Policy | undefined
  /** Lets failed messages wait in topics of their own, so that others go on; they lose their place in the order. @default none */
  retryTopics?: RetryTopicsOptions | undefined
  /**
   * Commits each batch (of `subscribe`: each message) in one transaction with its dead letters, so that a process that dies in between leaves both or
   * neither: a letter is there once. Otherwise it is there at least once. Not with `retryTopics`, `concurrency` above 1, or lanes.
   * @default false
   */
  deadLettersOnce?: boolean | undefined
  /** What becomes of messages that came when they were of no use any more. They are counted in any case. @default 'drop' */
  expired?: 'drop' | 'dead-letter' | undefined
  /** How long one run of the handler may take, in milliseconds; then its signal aborts and it counts as failed. @default 300_000 */
  handlerTimeoutMs?: number | undefined
  /** When the subscription halts instead of filling the dead letters; `false` never. @default half of the latest 100, for a minute */
  breaker?: BadMessageBreakerOptions | false | undefined
}

/** How one subscription to batches works. */
export interface SubscribeBatchOptions extends SubscribeOptions {
  /** How many messages a handler is given, at most. It gets those that are there, and waits for no more. @default the service's `batchSize` */
  batchSize?: number | undefined
}
