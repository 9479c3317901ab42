import { type Clock, type Encryptor, type Logger, type Policy, type ReceivedMessage, TimeoutError } from '@smart-whale/interfaces'
import { createRetry, withDeadline } from '@smart-whale/core-resilience'
import { isMessagingError, messagingError, messagingTimeout } from '../errors.ts'
import { decodeMessage } from '../message-content.ts'
import { expiryOf } from '../message-expiry.ts'
import type { MessageTracing } from '../message-tracing.ts'
import type { BadMessageBreaker } from './bad-message-breaker.ts'
import type { ConsumptionMetrics } from './consumption-metrics.ts'
import { type FailedMessages, mayPass } from './failed-messages.ts'
import type { BatchHandler, MessageFailure } from './message-handler.ts'
import type { HandlingSignals } from './partition-flow.ts'
import type { ReadRecord } from './read-record.ts'
import type { RetriedRecord } from './retry-topic.ts'

/** What a {@link RecordHandler} is made from. */
export interface RecordHandlerOptions {
  /** Runs for the messages. @default none, required */
  readonly handler: BatchHandler
  /** Runs the handler again while a failure may pass. @default none, required */
  readonly retry: Policy
  /** How long the handler may take, in milliseconds. @default none, required */
  readonly handlerTimeoutMs: number
  /** What becomes of messages that came too late. @default none, required */
  readonly expired: 'drop' | 'dead-letter'
  /** Halts when too many are bad; null never does. @default none, required */
  readonly breaker: BadMessageBreaker | null
  /** Where failed messages go. @default none, required */
  readonly failed: FailedMessages
  /** How messages are read. @default none, required */
  readonly content: { readonly encryptor: Encryptor | undefined; readonly assumedContentType: string; readonly acceptPlaintext: boolean }
  /** Carries the messages' traces on. @default none, required */
  readonly tracing: MessageTracing
  /** Where outcomes are counted. @default none, required */
  readonly metrics: ConsumptionMetrics
  /** Whose time passes. @default none, required */
  readonly clock: Clock
  /** Where trouble is said. @default none, required */
  readonly logger: Logger
}

/** A record with what it says of its retries. */
export interface Delivery {
  readonly record: ReadRecord
  readonly retried: RetriedRecord
}

interface Failure {
  readonly delivery: Delivery
  readonly error: unknown
}

type Message = readonly [Delivery, ReceivedMessage]

/** Takes records through decoding, the handler, its retries, and to where failed ones are safe. */
export class RecordHandler {
  readonly #options: RecordHandlerOptions
  readonly #whileKeysAreAway: Policy

  constructor(options: RecordHandlerOptions) {
    this.#options = options
    this.#whileKeysAreAway = createRetry({
      name: 'decode-message',
      maxAttempts: Infinity,
      maxDelayMs: 30_000,
      budget: false,
      clock: options.clock,
      isRetryable: (error) => !isMessagingError(error) || error.code !== 'ERR_MESSAGING_UNDECODABLE',
      onRetry: ({ error, attempt }) => options.logger.error({ error, attempt }, 'a message can not be read; its partition stands still until it can'),
    })
  }

  /** Resolves with those that were not dealt with because the partition was revoked. */
  async handle(deliveries: readonly Delivery[], signals: HandlingSignals): Promise<ReadonlySet<ReadRecord>> {
    const left = new Set(deliveries.map(({ record }) => record))
    let pending = deliveries
    while (pending.length > 0 && !signals.revoked.aborted) {
      const pass = await this.#enter(signals.revoked)
      if (pass === undefined) break
      // The probe risks one message, not a batch.
      const tried = pass === 'probe' ? pending.slice(0, 1) : pending
      const failures = await this.#attempt(tried, signals)
      const again = await this.#settle(tried, failures, pass, left, signals.revoked)
      pending = pass === 'probe' ? [...again, ...pending.slice(1)] : again
    }
    return left
  }

  async #enter(revoked: AbortSignal): Promise<'free' | 'probe' | undefined> {
    const { breaker } = this.#options
    return breaker === null ? 'free' : breaker.enter(revoked).catch(() => undefined)
  }

  /** Takes what was dealt with out of `left`; resolves with what is to be tried again when the subscription goes on. */
  async #settle(tried: readonly Delivery[], failures: readonly Failure[], pass: 'free' | 'probe', left: Set<ReadRecord>, revoked: AbortSignal): Promise<Delivery[]> {
    const { breaker, metrics } = this.#options
    const failed = new Set(failures.map(({ delivery }) => delivery))
    const good = tried.filter((delivery) => !failed.has(delivery))
    for (const { record } of good) left.delete(record)
    metrics.handled('done', good.length)
    if (revoked.aborted) {
      if (pass === 'probe') breaker?.probeEnded()
      return []
    }
    if (pass === 'free') breaker?.countGood(good.length)
    const halted: Delivery[] = []
    for (const failure of failures) {
      // One that goes to a retry topic counts as well: to send all of them there would be a flood too.
      if (pass === 'free' && breaker?.admitBad() === false) halted.push(failure.delivery)
      else await this.#store(failure, left, revoked)
    }
    if (pass === 'probe') breaker?.probed(failures.length > 0)
    return halted
  }

  async #store({ delivery, error }: Failure, left: Set<ReadRecord>, revoked: AbortSignal): Promise<void> {
    const place = await this.#options.failed.store(delivery.retried, error, revoked)
    if (place === null) return
    left.delete(delivery.record)
    this.#options.metrics.handled(place === 'retry' ? 'retried' : 'dead_lettered', 1)
  }

  /** Those that failed, after as many attempts as the policy grants. */
  async #attempt(deliveries: readonly Delivery[], signals: HandlingSignals): Promise<Failure[]> {
    const failures: Failure[] = []
    const messages: Message[] = []
    for (const delivery of deliveries) {
      const read = await this.#read(delivery, signals.revoked)
      if ('error' in read) failures.push({ delivery, error: read.error })
      else if (read.message !== null) messages.push([delivery, read.message])
    }
    if (messages.length > 0) failures.push(...(await this.#runWithRetries(messages, signals)))
    return failures
  }

  /** The message, or null when it came too late and is dropped, or why it can't be read. */
  async #read({ retried }: Delivery, revoked: AbortSignal): Promise<{ message: ReceivedMessage | null } | { error: unknown }> {
    const { topic, key, headers, timestamp, value } = retried.origin
    const { content, clock, expired, metrics } = this.#options
    try {
      const decoded = await this.#whileKeysAreAway.execute(() => decodeMessage(value, headers, { topic, key, ...content }), { signal: revoked })
      const expiresAt = expiryOf(headers, decoded)
      if (expiresAt !== undefined && expiresAt <= clock.now()) {
        metrics.expired()
        if (expired === 'drop') return { message: null }
        throw messagingError('ERR_MESSAGING_EXPIRED', `the message was of no use any more from ${new Date(expiresAt).toISOString()} on`, { status: 410 })
      }
      const texts = Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, Buffer.from(bytes).toString('utf8')]))
      return { message: { topic, value: decoded, key: key === null ? null : Buffer.from(key).toString('utf8'), headers: texts, timestamp } }
    } catch (error) {
      return { error }
    }
  }

  async #runWithRetries(messages: readonly Message[], signals: HandlingSignals): Promise<Failure[]> {
    const final: Failure[] = []
    let open = messages
    let errors = new Map<Delivery, unknown>()
    try {
      await this.#options.retry.execute(
        async () => {
          const failures = await this.#runOnce(open, signals.expired)
          // What won't pass is not tried again with the rest.
          final.push(...failures.filter(({ error }) => !mayPass(error)))
          errors = new Map(failures.filter(({ error }) => mayPass(error)).map(({ delivery, error }) => [delivery, error]))
          open = open.filter(([delivery]) => errors.has(delivery))
          const [first] = open
          if (first !== undefined) throw errors.get(first[0])
        },
        { signal: signals.revoked },
      )
    } catch (error) {
      // A policy may refuse to run anything at all: then that is why they all failed.
      final.push(...open.map(([delivery]) => ({ delivery, error: errors.get(delivery) ?? error })))
    }
    return final
  }

  /** A batch whose handler throws is run message by message, so that one bad message doesn't take the others with it. */
  async #runOnce(messages: readonly Message[], expired: AbortSignal): Promise<Failure[]> {
    try {
      return await this.#call(messages, expired)
    } catch (error) {
      if (messages.length === 1 || expired.aborted) return messages.map(([delivery]) => ({ delivery, error }))
    }
    const failures: Failure[] = []
    for (const message of messages) {
      failures.push(...(await this.#call([message], expired).catch((error: unknown) => [{ delivery: message[0], error }])))
    }
    return failures
  }

  async #call(messages: readonly Message[], expired: AbortSignal): Promise<Failure[]> {
    const { handler, handlerTimeoutMs, clock, tracing, metrics } = this.#options
    const received = messages.map(([, message]) => message)
    const topic = received[0]?.topic ?? ''
    const begunAt = clock.monotonic()
    let hasThrown = false
    const run = async ({ signal }: { signal: AbortSignal }) => {
      try {
        return await handler(received, { signal })
      } catch (error) {
        hasThrown = true
        throw error
      }
    }
    try {
      const named = await tracing.receive(topic, received, () => withDeadline(run, { timeoutMs: handlerTimeoutMs, signal: expired, clock, what: `handling "${topic}"` }))
      return failuresOf(messages, named ?? [])
    } catch (error) {
      // The handler's own timeouts are more telling than ours and pass as they are.
      throw TimeoutError.isInstance(error) && !hasThrown ? messagingTimeout(`the handler of "${topic}"`, handlerTimeoutMs) : error
    } finally {
      metrics.took((clock.monotonic() - begunAt) / 1_000)
    }
  }
}

function failuresOf(messages: readonly Message[], named: readonly MessageFailure[]): Failure[] {
  const deliveries = new Map(messages.map(([delivery, message]) => [message, delivery]))
  return named.map(({ message, error }) => {
    const delivery = deliveries.get(message)
    if (delivery === undefined) throw messagingError('ERR_MESSAGING_HANDLER_FAILED', 'the batch handler named a message that it was not handed')
    return { delivery, error }
  })
}
