import {
  type Clock,
  type Encryptor,
  InfrastructureError,
  type Logger,
  type MetricsSink,
  type Policy,
  silentLogger,
  silentMetrics,
  silentTracer,
  systemClock,
  type Tracer,
} from '@smart-whale/interfaces'
import { createRetry } from '@smart-whale/core-resilience'
import { DEFAULT_BATCH_SIZE, DEFAULT_BUFFER_SIZE, DEFAULT_KAFKA_TIMEOUT } from './constants.ts'
import { optionError } from './errors.ts'

/** What a service is about to do for its caller. */
export interface MessagingAction {
  readonly action: 'send' | 'subscribe'
  readonly topic: string
  /** Of a subscription. */
  readonly groupId?: string
}

/** How a {@link KafkaService} works. */
export interface KafkaServiceOptions {
  /** Where the service and its subscriptions log. @default silentLogger */
  logger?: Logger | undefined
  /** Every send and every subscription runs under it: it may refuse, retry, break or bound them. @default none */
  policy?: Policy | undefined
  /** Is asked before every send and every subscription; what it throws is their failure, and nothing is done. @default everything is let pass */
  admit?: ((action: MessagingAction) => Promise<void> | void) | undefined
  /** Where sends, handlers, lag and late answers are measured. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Traces sends and handlers. Traces in messages are passed on in any case. @default silentTracer */
  tracer?: Tracer | undefined
  /** Encrypts values from sender to handler, bound to their topic, key and content type; keys and headers stay readable. @default none */
  encryptor?: Encryptor | undefined
  /** Whether a message that isn't encrypted is handled although there is an encryptor, while senders are being changed over. @default false */
  acceptPlaintext?: boolean | undefined
  /** What a value is whose sender named no content type. @default 'application/octet-stream' */
  assumedContentType?: string | undefined
  /** How a handler that throws is run again before its message goes to the dead letters. @default 5 attempts, 100 ms to 10 s apart; not for errors that say they aren't retryable */
  retry?: Policy | undefined
  /** How long one call to the broker may take, in milliseconds. @default DEFAULT_KAFKA_TIMEOUT */
  timeoutMs?: number | undefined
  /** Messages that a batch handler is given, at most. @default DEFAULT_BATCH_SIZE */
  batchSize?: number | undefined
  /** Bytes that are read ahead of a handler, in each partition. @default DEFAULT_BUFFER_SIZE */
  bufferBytes?: number | undefined
  /** How long a handler may go on after its partition is revoked or the service disconnects, before its signal aborts; in milliseconds. @default 20_000 */
  drainTimeoutMs?: number | undefined
  /** Requests that may wait for their answer at a time; more are refused. @default 1_000 */
  maxRequests?: number | undefined
  /** Whether `connect` starts the transport and `disconnect` stops it. Say false when others use it too. @default true */
  manageTransport?: boolean | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** {@link KafkaServiceOptions} with every default in place. */
export interface KafkaServiceSettings {
  /** Where the service and its subscriptions log. @default see {@link KafkaServiceOptions} */
  readonly logger: Logger
  /** What every send and every subscription runs under. @default see {@link KafkaServiceOptions} */
  readonly policy: Policy
  /** Is asked before every send and every subscription. @default see {@link KafkaServiceOptions} */
  readonly admit: (action: MessagingAction) => Promise<void> | void
  /** Where things are measured. @default see {@link KafkaServiceOptions} */
  readonly metrics: MetricsSink
  /** Traces sends and handlers. @default see {@link KafkaServiceOptions} */
  readonly tracer: Tracer
  /** Encrypts values from sender to handler; undefined sends them as they are. @default see {@link KafkaServiceOptions} */
  readonly encryptor: Encryptor | undefined
  /** Whether a message that isn't encrypted is handled although there is an encryptor. @default see {@link KafkaServiceOptions} */
  readonly acceptPlaintext: boolean
  /** What a value is whose sender named no content type. @default see {@link KafkaServiceOptions} */
  readonly assumedContentType: string
  /** How a handler that throws is run again before its message goes to the dead letters. @default see {@link KafkaServiceOptions} */
  readonly retry: Policy
  /** How long one call to the broker may take, in milliseconds. @default see {@link KafkaServiceOptions} */
  readonly timeoutMs: number
  /** Messages that a batch handler is given, at most. @default see {@link KafkaServiceOptions} */
  readonly batchSize: number
  /** Bytes that are read ahead of a handler, in each partition. @default see {@link KafkaServiceOptions} */
  readonly bufferBytes: number
  /** How long a handler may go on after its partition is revoked, before its signal aborts; in milliseconds. @default see {@link KafkaServiceOptions} */
  readonly drainTimeoutMs: number
  /** Requests that may wait for their answer at a time. @default see {@link KafkaServiceOptions} */
  readonly maxRequests: number
  /** Whether `connect` starts the transport and `disconnect` stops it. @default see {@link KafkaServiceOptions} */
  readonly manageTransport: boolean
  /** Whose time passes. @default see {@link KafkaServiceOptions} */
  readonly clock: Clock
}

/** Runs work as it is. */
const noPolicy: Policy = { execute: (work, call) => work({ signal: call?.signal ?? NEVER, deadlineAtMs: call?.deadlineAtMs }) }
const NEVER = new AbortController().signal

/** Checks the options and puts the defaults in place. */
export function serviceSettings(options: KafkaServiceOptions = {}): KafkaServiceSettings {
  const clock = options.clock ?? systemClock
  return {
    logger: options.logger ?? silentLogger,
    policy: options.policy ?? noPolicy,
    admit: options.admit ?? (() => {}),
    metrics: options.metrics ?? silentMetrics,
    tracer: options.tracer ?? silentTracer,
    encryptor: options.encryptor,
    acceptPlaintext: options.acceptPlaintext ?? false,
    assumedContentType: options.assumedContentType ?? 'application/octet-stream',
    retry: options.retry ?? handlerRetry(clock),
    timeoutMs: numberOption('timeoutMs', options.timeoutMs ?? DEFAULT_KAFKA_TIMEOUT),
    batchSize: numberOption('batchSize', options.batchSize ?? DEFAULT_BATCH_SIZE),
    bufferBytes: numberOption('bufferBytes', options.bufferBytes ?? DEFAULT_BUFFER_SIZE),
    drainTimeoutMs: numberOption('drainTimeoutMs', options.drainTimeoutMs ?? 20_000),
    maxRequests: numberOption('maxRequests', options.maxRequests ?? 1_000),
    manageTransport: options.manageTransport ?? true,
    clock,
  }
}

/** Any failure of a handler may pass, unless it says that it won't. No budget: each message has its own attempts. */
const handlerRetry = (clock: Clock): Policy =>
  createRetry({ name: 'message-handler', maxAttempts: 5, budget: false, clock, isRetryable: (error) => !InfrastructureError.isInstance(error) || error.retryable })

/** Lets a whole number pass that an option may have. */
export function numberOption(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 2 ** 31 - 1) return value
  throw optionError(name, value, `a whole number from 1 to ${2 ** 31 - 1}`)
}
