/** A message as a handler sees it. */
export interface ReceivedMessage {
  readonly topic: string
  /** What was published: an object, a string or bytes, as the sender gave it. */
  readonly value: unknown
  readonly key: string | null
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds since the epoch, as the broker has it. */
  readonly timestamp: number
}

/** Handles one message. Throwing means "not handled": the message is retried, then dead-lettered, never lost silently. */
export type MessageHandler = (message: ReceivedMessage, context: { signal: AbortSignal }) => Promise<void> | void

/** Topics with at-least-once delivery. */
export interface MessagingInterface {
  connect(): Promise<void>
  /** Drains what is being handled, then leaves. */
  disconnect(): Promise<void>
  /**
   * Resolves when the broker has the message durably.
   * @throws ValidationError for a topic name that no broker takes, and for what is no message: `undefined`, a function
   */
  publish(topic: string, message: unknown): Promise<void>
  /** Goes on where the consumer group left off. Messages of one key are handled in order. */
  subscribe(topic: string, handler: MessageHandler): Promise<void>
  unsubscribe(topic: string): Promise<void>
}
