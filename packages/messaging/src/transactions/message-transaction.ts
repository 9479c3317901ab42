import { messagingError } from '../errors.ts'
import type { LogOutcome } from '../log-outcome.ts'
import type { MessageTracing } from '../message-tracing.ts'
import { batchDrafts, type SendBatchOptions, type SendMessageOptions } from '../send-options.ts'
import { encodeDraft, type MessageDraft } from '../send-messages.ts'
import { laneTopic } from '../priority-lanes.ts'
import type { KafkaServiceSettings } from '../service-options.ts'
import { checkTopicName } from '../topic-name.ts'
import type { OutgoingRecord } from '../transport.ts'

/** Sends messages that are seen all together, or not at all. What it takes is not seen before the transaction is committed. */
export interface MessageTransaction {
  /** Resolves true when the message is part of the transaction. */
  sendMessage(topic: string, message: unknown, options?: SendMessageOptions): Promise<boolean>
  /** Resolves true when all of the messages are. */
  sendBatch(topic: string, messages: readonly unknown[], options?: SendBatchOptions): Promise<boolean>
}

/** What messages in transactions are made with. */
export interface TransactionWriterOptions {
  /** How the service works. @default none, required */
  readonly settings: KafkaServiceSettings
  /** Gives messages the trace that they belong to. @default none, required */
  readonly tracing: MessageTracing
  /** Says how each send ended. @default none, required */
  readonly logged: LogOutcome
}

/** Turns messages into records, and gives them to whoever keeps them for the transaction. */
export class TransactionWriter implements MessageTransaction {
  readonly #options: TransactionWriterOptions
  readonly #add: (topic: string, records: readonly OutgoingRecord[], signal: AbortSignal | undefined) => Promise<void>
  readonly #pending = new Set<Promise<boolean>>()
  #isClosed = false

  constructor(options: TransactionWriterOptions, add: (topic: string, records: readonly OutgoingRecord[], signal: AbortSignal | undefined) => Promise<void>) {
    this.#options = options
    this.#add = add
  }

  sendMessage(topic: string, message: unknown, options: SendMessageOptions = {}): Promise<boolean> {
    return this.#send('send message', topic, () => batchDrafts([message], { ...options, key: () => options.key ?? null }, this.#options.settings.clock), options)
  }

  sendBatch(topic: string, messages: readonly unknown[], options: SendBatchOptions = {}): Promise<boolean> {
    return this.#send('send batch', topic, () => batchDrafts(messages, options, this.#options.settings.clock), options)
  }

  /** Waits for sends that nobody awaited, and rejects if one of them failed: what is left out in silence would be lost. Later ones are refused. */
  async close(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
    this.#isClosed = true
  }

  #send(operation: string, topic: string, drafts: () => readonly MessageDraft[], options: { priority?: number | undefined; signal?: AbortSignal | undefined }): Promise<boolean> {
    if (this.#isClosed) return Promise.reject(tooLate(topic))
    const sending = this.#encodeAndAdd(operation, topic, drafts, options)
    this.#pending.add(sending)
    // One that failed stays, for whoever closes.
    sending.then(() => this.#pending.delete(sending), () => {})
    return sending
  }

  #encodeAndAdd(operation: string, topic: string, drafts: () => readonly MessageDraft[], { priority, signal }: { priority?: number | undefined; signal?: AbortSignal | undefined }): Promise<boolean> {
    const { settings, tracing, logged } = this.#options
    return logged(`${operation} in a transaction`, { topic, priority }, async () => {
      const target = priority === undefined ? topic : laneTopic(topic, priority)
      checkTopicName(target)
      const made = drafts()
      await settings.admit({ action: 'send', topic: target })
      await tracing.send(target, made[0]?.headers, async (traced) => {
        const records = await Promise.all(made.map((draft) => encodeDraft(settings, target, draft, traced)))
        await this.#add(target, records, signal)
      })
      return true
    })
  }
}

function tooLate(topic: string): Error {
  return messagingError('ERR_MESSAGING_TRANSACTION_STATE', `a message for topic "${topic}" comes too late: the work of its transaction has ended; await what it sends`, { status: 409, context: { topic } })
}
