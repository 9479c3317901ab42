import { createRetry } from '@smart-whale/core-resilience'
import type { Clock, Policy } from '@smart-whale/interfaces'
import type { ClusterView } from '../cluster-view.ts'
import type { KafkaApi } from '../kafka-api.ts'
import type { KafkaTransportSettings } from '../options.ts'

/** What everything that speaks with the cluster is given. */
export interface KafkaClient {
  readonly api: KafkaApi
  readonly view: ClusterView
  readonly settings: KafkaTransportSettings
  readonly clock: Clock
  /** Repeats what may pass until the caller's signal ends it. */
  readonly retry: Policy
  /** Aborts when the transport is gone. */
  readonly closing: AbortSignal
  /** Lets go of the connections of a channel that nobody uses any more. */
  readonly closeChannel: (channel: string) => void
}

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500

/**
 * How requests are repeated. There is no budget: a call has a deadline, and what it would give up early could be a record that nobody
 * knows the place of. A broker that comes back meets one request for each partition at a time, never a flood. Whoever retries above it
 * begins anew what is only repeated here, so that it takes no notice of that.
 */
export function createBrokerRetry(clock: Clock): Policy {
  return createRetry({ name: 'kafka', maxAttempts: Number.MAX_SAFE_INTEGER, baseDelayMs: FIRST_PAUSE_MS, maxDelayMs: LONGEST_PAUSE_MS, budget: false, whenNested: 'retry', clock })
}
