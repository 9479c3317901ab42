import type { ReceivedMessage } from '@smart-whale/interfaces'

/** A message of a batch that could not be handled, and why. */
export interface MessageFailure {
  /** One of the messages that were handed over. */
  readonly message: ReceivedMessage
  /** What went wrong; an `InfrastructureError` that isn't retryable goes to the dead letters at once. */
  readonly error: unknown
}

/**
 * Handles some messages together. Those that it names in its answer failed, all others are done; when it throws, all of them failed.
 * Messages of one key are in their order, and in no other batch at the same time.
 */
export type BatchHandler = (
  messages: readonly ReceivedMessage[],
  context: { signal: AbortSignal },
) => Promise<readonly MessageFailure[] | void> | readonly MessageFailure[] | void
