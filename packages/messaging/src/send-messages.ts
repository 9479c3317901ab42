import { InfrastructureError } from '@smart-whale/interfaces'
import { PartialSendError } from './errors.ts'
import type { LogOutcome } from './log-outcome.ts'
import { encodeMessage } from './message-content.ts'
import { EXPIRES_HEADER } from './message-expiry.ts'
import type { MessageTracing } from './message-tracing.ts'
import type { KafkaServiceSettings } from './service-options.ts'
import { checkTopicName } from './topic-name.ts'
import type { MessagingTransport, OutgoingRecord, RecordPosition } from './transport.ts'

type Headers = Readonly<Record<string, string | Uint8Array>>

/** A message on its way out. */
export interface MessageDraft {
  readonly message: unknown
  readonly key: string | Uint8Array | null | undefined
  readonly headers: Headers | undefined
  /** When it is of no use any more, in milliseconds since the epoch. */
  readonly expiresAtMs?: number | undefined
}

/** What a {@link MessageSender} is made from. */
export interface MessageSenderOptions {
  /** Where messages go. @default none, required */
  readonly transport: MessagingTransport
  /** How the service works. @default none, required */
  readonly settings: KafkaServiceSettings
  /** Gives messages the trace that they belong to. @default none, required */
  readonly tracing: MessageTracing
  /** Says how each send ended. @default none, required */
  readonly logged: LogOutcome
  /** Refuses what is sent before there is a connection. @default none, required */
  checkConnected(what: string): void
}

/** Turns messages into records and sends them, under the service's policy. */
export class MessageSender {
  readonly #options: MessageSenderOptions
  readonly #sending = new Set<Promise<unknown>>()
  readonly #countSent: (topic: string, messages: number) => void

  constructor(options: MessageSenderOptions) {
    this.#options = options
    const sent = options.settings.metrics.counter({ name: 'smart_whale_messages_sent_total', help: 'Messages that the broker has durably', labelNames: ['topic'] })
    this.#countSent = (topic, messages) => sent.inc({ topic }, messages)
  }

  /**
   * Resolves true when the broker has all of them durably.
   *
   * @param prepare makes the messages; what it refuses is a failed send like any other
   */
  send(operation: string, context: object, prepare: () => { topic: string; drafts: readonly MessageDraft[] }, signal?: AbortSignal): Promise<boolean> {
    const { settings, tracing, logged, checkConnected } = this.#options
    const sending = logged(operation, context, async () => {
      checkConnected('sending')
      const { topic, drafts } = prepare()
      checkTopicName(topic)
      await settings.admit({ action: 'send', topic })
      await tracing.send(topic, drafts[0]?.headers, async (traced) => {
        const records = await Promise.all(drafts.map((draft) => encodeDraft(settings, topic, draft, traced)))
        await this.#sendRecords(topic, records, signal)
      })
      this.#countSent(topic, drafts.length)
      return true
    })
    this.#sending.add(sending)
    const forget = (): void => void this.#sending.delete(sending)
    sending.then(forget, forget)
    return sending
  }

  /** Resolves when nothing is being sent any more. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#sending)
  }

  /**
   * Under the policy, which sends again what surely isn't stored, and nothing else. A record that may be stored is left as it is: while there
   * was time the transport itself repeated it, under the number by which the broker knows it again; sent anew it would be a second message.
   */
  async #sendRecords(topic: string, records: readonly OutgoingRecord[], signal: AbortSignal | undefined): Promise<void> {
    const { settings, transport } = this.#options
    const stored: (RecordPosition | null)[] = records.map(() => null)
    const unknown = new Set<number>()
    const missing = (): number[] => [...records.keys()].filter((index) => stored[index] === null && !unknown.has(index))
    const failure = (cause: unknown, isRetryable: boolean): PartialSendError => {
      const retryable = isRetryable && unknown.size === 0
      return new PartialSendError({ topic, stored: [...stored], unknown: [...unknown], cause, retryable })
    }
    let doubt: unknown
    const attempt = async (attemptSignal: AbortSignal): Promise<void> => {
      const left = missing()
      // A policy of somebody's own may try again whatever it is told.
      if (left.length === 0) throw failure(doubt, false)
      const note = (positions: readonly (RecordPosition | null)[]): void =>
        left.forEach((index, order) => {
          stored[index] = positions[order] ?? null
        })
      try {
        note(await transport.send(topic, left.map((index) => records[index] as OutgoingRecord), { timeoutMs: settings.timeoutMs, signal: attemptSignal }))
      } catch (error) {
        if (!PartialSendError.isInstance(error)) throw error
        note(error.stored)
        for (const order of error.unknown) unknown.add(left[order] as number)
        if (error.unknown.length > 0) doubt = error.cause
        // Nothing is left that could be sent again.
        if (missing().length === 0) throw failure(error.cause, false)
        throw error
      }
    }
    try {
      await settings.policy.execute((context) => attempt(context.signal), { signal })
    } catch (error) {
      if (unknown.size === 0 && stored.every((position) => position === null)) throw error
      throw failure(PartialSendError.isInstance(error) ? error.cause : error, InfrastructureError.isInstance(error) && error.retryable)
    }
    if (unknown.size > 0) throw failure(doubt, false)
  }
}

/** A message as a record, encrypted if the service encrypts. */
export async function encodeDraft({ encryptor }: Pick<KafkaServiceSettings, 'encryptor'>, topic: string, draft: MessageDraft, traced: Headers): Promise<OutgoingRecord> {
  const { message, key, headers, expiresAtMs } = draft
  const content = await encodeMessage(message, { topic, key, encryptor })
  const expiry = expiresAtMs === undefined ? {} : { [EXPIRES_HEADER]: String(Math.floor(expiresAtMs)) }
  return { key, value: content.value, headers: { ...traced, ...headers, ...expiry, ...content.headers } }
}
