import {
  ConfigurationError,
  ConnectionError,
  type ErrorOptions,
  hasErrorMark,
  type InfrastructureError,
  markError,
  OperationError,
  TimeoutError,
  ValidationError,
  type ValidationIssue,
} from '@smart-whale/interfaces'
import type { RecordPosition } from './transport.ts'

/** Every code that this package itself throws. `ERR_ABORTED` comes from `@smart-whale/interfaces`. */
export type MessagingErrorCode =
  | 'ERR_MESSAGING_NOT_CONNECTED'
  | 'ERR_MESSAGING_TIMEOUT'
  | 'ERR_MESSAGING_TOPIC_NOT_FOUND'
  | 'ERR_MESSAGING_PARTITION_NOT_FOUND'
  | 'ERR_MESSAGING_TOPIC_NAME'
  | 'ERR_MESSAGING_TOPIC_SETTINGS'
  | 'ERR_MESSAGING_TOPIC_FULL'
  | 'ERR_MESSAGING_RECORD_TOO_LARGE'
  | 'ERR_MESSAGING_INVALID_RECORD'
  | 'ERR_MESSAGING_INVALID_MESSAGE'
  | 'ERR_MESSAGING_UNDECODABLE'
  | 'ERR_MESSAGING_NO_ENCRYPTOR'
  | 'ERR_MESSAGING_HANDLER_FAILED'
  | 'ERR_MESSAGING_PARTIAL_SEND'
  | 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE'
  | 'ERR_MESSAGING_REVOKED'
  | 'ERR_MESSAGING_FENCED'
  | 'ERR_MESSAGING_NO_GROUP'
  | 'ERR_MESSAGING_CONCURRENT_READ'
  | 'ERR_MESSAGING_MEMBERSHIP_LOST'
  | 'ERR_MESSAGING_ALREADY_SUBSCRIBED'
  | 'ERR_MESSAGING_INVALID_ARGUMENT'
  | 'ERR_MESSAGING_OPTION'
  | 'ERR_MESSAGING_JOURNAL'
  | 'ERR_MESSAGING_REPLAY_BUSY'
  | 'ERR_MESSAGING_LOG_BUSY'
  | 'ERR_MESSAGING_LOG_CORRUPT'
  | 'ERR_MESSAGING_LOG_FAILED'
  | 'ERR_MESSAGING_CONFIGURATION'
  | 'ERR_MESSAGING_DUPLICATE_REQUEST'
  | 'ERR_MESSAGING_EXPIRED'
  | 'ERR_MESSAGING_RESPONSE_TOPIC'
  | 'ERR_MESSAGING_TOO_MANY_REQUESTS'
  | 'ERR_MESSAGING_PRODUCER_FENCED'
  | 'ERR_MESSAGING_TRANSACTION_ABORTED'
  | 'ERR_MESSAGING_TRANSACTION_UNKNOWN'
  | 'ERR_MESSAGING_TRANSACTION_STATE'

/** Every code that reaching a Kafka cluster adds: its connections, its protocol, its records. */
export type KafkaErrorCode =
  | 'ERR_MESSAGING_CONNECTION'
  | 'ERR_MESSAGING_AUTHENTICATION'
  | 'ERR_MESSAGING_AUTHORIZATION'
  | 'ERR_MESSAGING_BROKER_REFUSED'
  | 'ERR_MESSAGING_PROTOCOL'
  | 'ERR_MESSAGING_CORRUPT_RECORDS'
  | 'ERR_MESSAGING_MISSING_PEER'

/** Every code that the pipeline and its ingest routes throw, beside those of the messages themselves. */
export type PipelineErrorCode =
  | 'ERR_MESSAGING_BATCH_REFUSED'
  | 'ERR_MESSAGING_DEFINITION_CHANGED'
  | 'ERR_MESSAGING_FRESHNESS_TOKEN'
  | 'ERR_MESSAGING_IDEMPOTENCY_KEY'
  | 'ERR_MESSAGING_INGEST_FULL'
  | 'ERR_MESSAGING_INGEST_NOT_READY'
  | 'ERR_MESSAGING_LEDGER_AHEAD'
  | 'ERR_MESSAGING_LEDGER_FULL'
  | 'ERR_MESSAGING_LEDGER_LOST'
  | 'ERR_MESSAGING_LEDGER_WENT_BACK'
  | 'ERR_MESSAGING_NOT_FRESH'
  | 'ERR_MESSAGING_PIPELINE_HALTED'
  | 'ERR_MESSAGING_PIPELINE_RENAMED'
  | 'ERR_MESSAGING_SLICE_CONFLICT'
  | 'ERR_MESSAGING_SLICE_DOUBLED'
  | 'ERR_MESSAGING_SLICE_GONE'
  | 'ERR_MESSAGING_SLICE_NOT_STORED'
  | 'ERR_MESSAGING_TOO_MANY_REQUESTS'
  | 'ERR_MESSAGING_TOO_MANY_WAIT'
  | 'ERR_MESSAGING_TOPIC_BEGAN_AGAIN'
  | 'ERR_MESSAGING_TOPIC_UNSAFE'
  | 'ERR_MESSAGING_UNKNOWN_TABLE'
  | 'ERR_MESSAGING_UNKNOWN_TOPIC'
  | 'ERR_MESSAGING_VIEWS_UNCERTAIN'

type Context = Readonly<Record<string, unknown>>
type KafkaError = MessagingErrorCode | KafkaErrorCode

/** Whether a value is an error that this package made, also across copies of it. */
export function isMessagingError(value: unknown): value is InfrastructureError<MessagingErrorCode | KafkaErrorCode> {
  return hasErrorMark(value, 'MessagingError')
}

/** An operation that the broker, or the state of things, doesn't allow. */
export function messagingError(
  code: MessagingErrorCode,
  message: string,
  options: Omit<ErrorOptions, 'code'> = {},
): OperationError<MessagingErrorCode> {
  return marked(new OperationError<MessagingErrorCode>(message, { ...options, code }))
}

/** A record or argument that is refused before anything is sent. */
export function messagingValidationError(
  code: MessagingErrorCode,
  message: string,
  issues: readonly ValidationIssue[],
  context: Context = {},
): ValidationError<MessagingErrorCode> {
  return marked(new ValidationError<MessagingErrorCode>(message, { code, issues, context }))
}

/** The refusal of an option of a constructor or `create…` function. */
export function optionError(option: string, found: unknown, wanted: string): ConfigurationError<MessagingErrorCode> {
  return marked(
    new ConfigurationError<MessagingErrorCode>(`option ${option} must be ${wanted}, got ${kindOf(found)}`, {
      code: 'ERR_MESSAGING_OPTION',
      context: { option },
    }),
  )
}

/** A call that didn't finish within its deadline. */
export function messagingTimeout(what: string, timeoutMs: number, context: Context = {}): TimeoutError<MessagingErrorCode> {
  return marked(
    new TimeoutError<MessagingErrorCode>(`${what} took longer than ${timeoutMs} ms; give it more time or look at the broker's load`, {
      code: 'ERR_MESSAGING_TIMEOUT',
      context: { ...context, timeoutMs },
    }),
  )
}

/** A call that ran out of time, with what its last attempt failed of: that says more than the time. Any other error stays as it is. */
export function timedOutBecause(error: unknown, failure: unknown): unknown {
  if (!TimeoutError.isInstance(error) || !isMessagingError(failure)) return error
  const { code, context } = error
  return marked(new TimeoutError<MessagingErrorCode>(`${error.message}; the last attempt failed: ${failure.message}`, { code: code as MessagingErrorCode, context, cause: failure }))
}

/** A call before `start` (or `connect`), or after `stop`. */
export function notConnected(what: string): ConnectionError<MessagingErrorCode> {
  return marked(
    new ConnectionError<MessagingErrorCode>(`${what} needs a connected transport: call connect() or start() first; after stop() nothing can be done`, {
      code: 'ERR_MESSAGING_NOT_CONNECTED',
      retryable: false,
    }),
  )
}

/** What the connections to Kafka and its protocol fail with. */
export function kafkaError(code: KafkaErrorCode, message: string, options: Omit<ErrorOptions, 'code'> = {}): OperationError<KafkaError> {
  return marked(new OperationError<KafkaError>(message, { ...options, code }))
}

/** What has to be set differently, or installed, before Kafka can be reached. */
export function kafkaConfigurationError(
  code: KafkaErrorCode,
  message: string,
  options: Omit<ErrorOptions, 'code'> = {},
): ConfigurationError<KafkaError> {
  return marked(new ConfigurationError<KafkaError>(message, { ...options, code }))
}

/** A topic that the broker doesn't have. */
export function topicNotFound(topic: string): OperationError<MessagingErrorCode> {
  return messagingError('ERR_MESSAGING_TOPIC_NOT_FOUND', `there is no topic "${topic}"; create it first`, { context: { topic }, status: 404 })
}

/** A partition that the topic doesn't have. */
export function partitionNotFound(topic: string, partition: number, partitions: number): OperationError<MessagingErrorCode> {
  return messagingError(
    'ERR_MESSAGING_PARTITION_NOT_FOUND',
    `topic "${topic}" has no partition ${partition}; its partitions are 0 to ${partitions - 1}`,
    { context: { topic, partition, partitions }, status: 404 },
  )
}

/** What a {@link PartialSendError} is made from. */
export interface PartialSendErrorOptions {
  /** Topic that the records were sent to. @default none, required */
  topic: string
  /** Record by record, as given: where it was stored, or null when it wasn't (or isn't known to be). @default none, required */
  stored: readonly (RecordPosition | null)[]
  /** Which of the records may be stored or not, by their index. @default [] */
  unknown?: readonly number[]
  /** The first failure. @default undefined */
  cause?: unknown
  /** Whether sending the rest again may succeed. @default true */
  retryable?: boolean
}

/**
 * Not every record of a `send` is known to be stored. Each one is either stored (`stored` has its position), or may be stored or not
 * because no answer came (`unknown` has its index), or surely isn't. Send again those that surely aren't; those that are unknown only
 * where a double does no harm.
 */
export class PartialSendError extends OperationError<MessagingErrorCode> {
  override readonly name: string = 'PartialSendError'
  /** Record by record, in the order given: where it was stored, or null when it wasn't (or isn't known to be). */
  readonly stored: readonly (RecordPosition | null)[]
  /** The indices of the records that may be stored or not: they were on their way when the time was up. */
  readonly unknown: readonly number[]

  constructor(options: PartialSendErrorOptions) {
    const { topic, stored, unknown = [], cause, retryable = true } = options
    const missing = stored.filter((position) => position === null).length - unknown.length
    super(`${partsOf(missing, unknown.length)} of ${stored.length} records sent to topic "${topic}"; send the missing ones again`, {
      code: 'ERR_MESSAGING_PARTIAL_SEND',
      cause,
      retryable,
      context: { topic, records: stored.length, missing, unknown: unknown.length },
    })
    this.stored = stored
    this.unknown = unknown
    markError(this, 'MessagingError')
    markError(this, 'PartialSendError')
  }

  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is PartialSendError {
    return hasErrorMark(value, 'PartialSendError')
  }
}

const partsOf = (missing: number, unknown: number): string =>
  [missing > 0 ? `${missing} surely not stored` : '', unknown > 0 ? `${unknown} stored or not, nobody knows` : ''].filter(Boolean).join(', ')

/** What an error message may say of a wrong value: its kind, and small scalars themselves; never content. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'undefined') return String(value)
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Uint8Array) return 'bytes'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function marked<E extends Error>(error: E): E {
  markError(error, 'MessagingError')
  return error
}
