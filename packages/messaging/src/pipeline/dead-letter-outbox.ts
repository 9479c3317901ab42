import type { DeadLetterPosition, Logger } from '@smart-whale/interfaces'
import { deadLetterRecord, deadLetterTopic } from '../dead-letter.ts'
import { recordsFrom } from '../dead-letters/read-dead-letters.ts'
import type { MessagingTransport, OutgoingRecord } from '../transport.ts'
import { originOfLetter } from './letter-origin.ts'
import type { SliceRecord } from './slice-records.ts'

type Call = { readonly signal: AbortSignal }

/** Takes the records of a slice that no store gets. Each method resolves when what it sent is there durably. */
export interface DeadLetterSink {
  /** Where letters that are sent from now on will lie, or before: recorded with a slice, so that a repeat knows where to look. */
  position(call: Call): Promise<DeadLetterPosition>
  /** Sends letters that nobody can have sent before. */
  send(records: readonly SliceRecord[], at: DeadLetterPosition, call: Call): Promise<void>
  /** Looks from a position on which of these letters are there, and sends the rest. */
  sendMissing(records: readonly SliceRecord[], from: DeadLetterPosition, call: Call): Promise<void>
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

/** The dead letters of one partition of a pipeline. */
export class DeadLetterOutbox implements DeadLetterSink {
  readonly #options: DeadLetterOutboxOptions
  readonly #letters: string
  /** Behind all that this one has sent, and before all that it will send. */
  #end: DeadLetterPosition | null = null

  constructor(options: DeadLetterOutboxOptions) {
    this.#options = options
    this.#letters = deadLetterTopic(options.topic)
  }

  /** Asked of the broker once; afterwards it is known from where the latest letters came to lie. */
  async position(call: Call): Promise<DeadLetterPosition> {
    this.#end ??= await this.#askPosition(call)
    return this.#end
  }

  async send(records: readonly SliceRecord[], { partition }: DeadLetterPosition, call: Call): Promise<void> {
    if (records.length === 0) return
    const positions = await this.#options.transport.send(this.#letters, records.map((record) => this.#letterOf(record, partition)), call)
    const last = positions.reduce((latest, { offset }) => (offset > latest ? offset : latest), 0n)
    if (this.#end?.partition === partition && this.#end.offset <= last) this.#end = { partition, offset: last + 1n }
    this.#options.logger.warn({ records: records.length, first: records[0]?.refusal }, 'records went to the dead letters')
  }

  async sendMissing(records: readonly SliceRecord[], from: DeadLetterPosition, call: Call): Promise<void> {
    const missing = new Map(records.map((record) => [letterKey(record.offset, record.batch.timestampAt(record.index)), record]))
    const source = { topic: this.#letters, partition: from.partition, from: from.offset }
    for await (const batch of recordsFrom(this.#options.transport, source, { batchBytes: READ_BYTES, ...call })) {
      for (let index = 0; index < batch.length; index++) {
        const origin = originOfLetter(batch, index, this.#options)
        if (origin !== null) missing.delete(letterKey(origin.offset, origin.timestamp))
      }
    }
    if (missing.size < records.length) this.#options.logger.info({ there: records.length - missing.size, missing: missing.size }, 'dead letters of a repeated slice are there already')
    await this.send([...missing.values()], from, call)
  }

  async #askPosition({ signal }: Call): Promise<DeadLetterPosition> {
    const { transport, partition: source } = this.#options
    const description = await transport.topics.describe(this.#letters, { signal })
    const partition = source % (description?.partitions ?? 1)
    const reader = await transport.openPartition(this.#letters, partition, { signal })
    try {
      return { partition, offset: (await reader.bounds({ signal })).latest }
    } finally {
      await reader.close()
    }
  }

  #letterOf({ batch, index, offset, refusal }: SliceRecord, partition: number): OutgoingRecord {
    const origin = { topic: batch.topic, partition: batch.partition, offset }
    const record = { ...origin, key: batch.keyAt(index), value: batch.valueAt(index), headers: batch.headersAt(index), timestamp: batch.timestampAt(index) }
    return { ...deadLetterRecord(record, { code: refusal?.code ?? 'invalid', message: refusal?.reason ?? '', groupId: this.#options.groupId }), partition }
  }
}

/** A topic that was made again has other records at the same offsets, and the letters of the old ones are still there. */
const letterKey = (offset: bigint, timestamp: number): string => `${offset}@${timestamp}`
