import type { DeadLetterPosition, Logger } from '@smart-whale/interfaces'
import { deadLetterTopic } from '../dead-letter.ts'
import { recordsFrom } from '../dead-letters/read-dead-letters.ts'
import type { MessagingTransport, PartitionReader, Transaction, TransactionalProducer } from '../transport.ts'
import { letterKey, originOfLetter } from './letter-origin.ts'
import { LetterWriter } from './letter-writer.ts'
import { originOf, type SliceRecord } from './slice-records.ts'

type Call = { readonly signal: AbortSignal }

/** Where the records of a slice go that no store gets. */
export interface DeadLetterSink {
  /** Where letters that are sent from now on will lie, or before: recorded with a slice, so that a repeat knows where to look. */
  position(call: Call): Promise<DeadLetterPosition>
  /**
   * Takes the right to send this partition's letters from whoever had it. To be called *before* it is made sure that the partition is one's own,
   * and before anybody looks which letters are there: an owner that falls asleep behind that, and is succeeded, is refused by the broker when it
   * wakes, because its successor has the right by then.
   */
  open(call: Call): Promise<LetterSender>
}

/** Sends letters, by a right that is over once somebody else has taken it. */
export interface LetterSender {
  /** Whether letters failed on their way: somebody else may have the right, and what was sent by it may have to be looked for. */
  readonly isOver: boolean
  /** How many times letters came to count. */
  readonly commits: number
  /** Begins to send letters that nobody can have sent before. What goes wrong on their way, their commit tells. */
  begin(records: readonly SliceRecord[], at: DeadLetterPosition, call: Call): UnseenLetters
  /** Looks from a position on which of these letters are there, and sends the rest. They are there durably when it resolves. */
  sendMissing(records: readonly SliceRecord[], from: DeadLetterPosition, call: Call): Promise<void>
}

/** Letters that nobody sees yet. One of the two has to be called before the next ones begin. */
export interface UnseenLetters {
  /** All of them are there, durably, when this resolves. */
  commit(call: Call): Promise<void>
  /** None of them will ever be seen; also those that are still on their way. */
  takeBack(): Promise<void>
}

/** What a {@link DeadLetterOutbox} works with. */
export interface DeadLetterOutboxOptions {
  /** Where letters go, and where they are looked for. @default none, required */
  readonly transport: MessagingTransport
  /** Topic that the records come from. @default none, required */
  readonly topic: string
  /** Partition that the records come from: all of its letters share one partition, in order. @default none, required */
  readonly partition: number
  /** The group that gives records up, as their letters name it. @default none, required */
  readonly groupId: string
  /** Hears of what was sent. @default none, required */
  readonly logger: Logger
}

const READ_BYTES = 4 * 1024 * 1024

/**
 * The dead letters of one partition of a pipeline. The letters of a slice are one transaction, under an id that only this partition has: none of
 * them is there, or all are, and nobody but its newest owner can add to them.
 */
export class DeadLetterOutbox implements DeadLetterSink {
  readonly #options: DeadLetterOutboxOptions
  readonly #letters: string
  #sender: OutboxSender | null = null
  /** Of the partition that the letters go to. */
  #reader: PartitionReader | null = null

  constructor(options: DeadLetterOutboxOptions) {
    this.#options = options
    this.#letters = deadLetterTopic(options.topic)
  }

  async position(call: Call): Promise<DeadLetterPosition> {
    this.#reader ??= await this.#openLetters(call)
    try {
      return { partition: this.#reader.partition, offset: (await this.#reader.bounds(call)).latest }
    } catch (error) {
      await this.#closeReader()
      throw error
    }
  }

  async open(call: Call): Promise<LetterSender> {
    const { transport, groupId, topic, partition } = this.#options
    await this.#closeSender()
    const producer = await transport.transactional(`smart-whale-dead-letters/${groupId}/${topic}/${partition}`, call)
    this.#sender = new OutboxSender(producer, this.#options)
    return this.#sender
  }

  /** Gives the right up, and with it what was not sent to its end. */
  async close(): Promise<void> {
    await Promise.all([this.#closeSender(), this.#closeReader()])
  }

  async #openLetters({ signal }: Call): Promise<PartitionReader> {
    const { transport, partition: source } = this.#options
    const description = await transport.topics.describe(this.#letters, { signal })
    return transport.openPartition(this.#letters, source % (description?.partitions ?? 1), { signal })
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader
    this.#reader = null
    await reader?.close()
  }

  async #closeSender(): Promise<void> {
    const sender = this.#sender
    this.#sender = null
    await sender?.close()
  }
}

/** One right to send the letters of a partition, until it is lost. */
class OutboxSender implements LetterSender {
  isOver = false
  commits = 0
  readonly #producer: TransactionalProducer
  readonly #options: DeadLetterOutboxOptions
  readonly #letters: string
  readonly #writer: LetterWriter

  constructor(producer: TransactionalProducer, options: DeadLetterOutboxOptions) {
    this.#producer = producer
    this.#options = options
    this.#letters = deadLetterTopic(options.topic)
    this.#writer = new LetterWriter(options)
  }

  begin(records: readonly SliceRecord[], at: DeadLetterPosition, { signal }: Call): UnseenLetters {
    const givenUp = new AbortController()
    const sending = this.#sendUnseen(records, at, { signal: AbortSignal.any([signal, givenUp.signal]) })
    // Awaited when all else is done: until then a rejection must not count as unhandled.
    sending.catch(() => {})
    const end = async (how: (transaction: Transaction) => Promise<void>): Promise<void> => {
      try {
        await how(await sending)
      } catch (error) {
        // Whatever became of it: who opens next, has it decided before anybody looks.
        await this.close()
        throw error
      }
    }
    return {
      commit: async (call) => {
        await end((transaction) => transaction.commit(call))
        this.commits++
        this.#options.logger.warn({ records: records.length, first: records[0]?.refusal }, 'records went to the dead letters')
      },
      takeBack: async () => {
        givenUp.abort()
        await end((transaction) => transaction.abort()).catch(() => {})
      },
    }
  }

  async sendMissing(records: readonly SliceRecord[], from: DeadLetterPosition, call: Call): Promise<void> {
    await this.#endLeftOpen(call)
    const missing = new Map(records.map((record) => [letterKey(originOf(record)), record]))
    const source = { topic: this.#letters, partition: from.partition, from: from.offset }
    // Letters of other partitions that are just being sent hide what lies behind them: their ends are waited for.
    for await (const batch of recordsFrom(this.#options.transport, source, { batchBytes: READ_BYTES, withOpen: true, ...call })) {
      for (let index = 0; index < batch.length; index++) {
        const origin = originOfLetter(batch, index, this.#options)
        if (origin !== null) missing.delete(letterKey(origin))
      }
    }
    if (missing.size < records.length) this.#options.logger.info({ there: records.length - missing.size, missing: missing.size }, 'dead letters of a repeated slice are there already')
    if (missing.size > 0) await this.begin([...missing.values()], from, call).commit(call)
  }

  async close(): Promise<void> {
    this.isOver = true
    await this.#producer.close()
  }

  /** What was taken back without an answer may be open still, and whoever looks would wait for its end: the next transaction sees to it as it begins. */
  async #endLeftOpen(call: Call): Promise<void> {
    try {
      await (await this.#producer.begin(call)).abort(call)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async #sendUnseen(records: readonly SliceRecord[], { partition }: DeadLetterPosition, call: Call): Promise<Transaction> {
    const letters = this.#writer.lettersOf(records, partition)
    const transaction = await this.#producer.begin(call)
    await transaction.send(this.#letters, letters, call)
    return transaction
  }
}
