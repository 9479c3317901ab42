import type { DeadLetterPosition } from '@smart-whale/interfaces'
import { deadLetterTopic } from '../dead-letter.ts'
import { recordsFrom } from '../dead-letters/read-dead-letters.ts'
import type { MessagingTransport, RecordBatch, TransportCallOptions } from '../transport.ts'
import { type LetterOrigin, type LetterSource, originOfLetter } from './letter-origin.ts'

/** Says which dead letters of one partition are there, whoever sent them. */
export interface SentLetters {
  /** The records that have a letter, in the order of their letters. */
  origins(where: LetterRange, call?: TransportCallOptions): AsyncIterable<LetterOrigin>
  /** Whether any record of the range (both ends included) has a letter. */
  hasOfRange(range: { readonly firstOffset: bigint; readonly lastOffset: bigint }, call?: TransportCallOptions): Promise<boolean>
}

/** Which letters are looked at: all that there are, or the latest of each partition, which is quick; of one partition from a position on. */
export type LetterRange = 'all' | 'latest' | DeadLetterPosition

/** How many of the latest letters of a partition are looked at. */
const LATEST = 2000n
const READ_BYTES = 4 * 1024 * 1024

/** Looks the letters of one partition up in the topic that they go to. */
export function createSentLetters(transport: MessagingTransport, source: LetterSource): SentLetters {
  const letters = deadLetterTopic(source.topic)

  async function* origins(where: LetterRange, call: TransportCallOptions = {}): AsyncGenerator<LetterOrigin> {
    const description = await transport.topics.describe(letters, call)
    for (let partition = 0; partition < (description?.partitions ?? 0); partition++) {
      const from = await startOf(where, partition, call)
      // Letters of other partitions that are just being sent hide what lies behind them: their ends are waited for.
      for await (const batch of recordsFrom(transport, { topic: letters, partition, from }, { batchBytes: READ_BYTES, withOpen: true, ...call })) yield* originsIn(batch)
    }
  }

  async function startOf(where: LetterRange, partition: number, call: TransportCallOptions): Promise<bigint> {
    if (where === 'all') return 0n
    return where !== 'latest' && where.partition === partition ? where.offset : latestFrom(partition, call)
  }

  function* originsIn(batch: RecordBatch): Generator<LetterOrigin> {
    for (let index = 0; index < batch.length; index++) {
      const origin = originOfLetter(batch, index, source)
      if (origin !== null) yield origin
    }
  }

  async function latestFrom(partition: number, call: TransportCallOptions): Promise<bigint> {
    const reader = await transport.openPartition(letters, partition, call)
    try {
      const { latest } = await reader.bounds(call)
      return latest > LATEST ? latest - LATEST : 0n
    } finally {
      await reader.close()
    }
  }

  return {
    origins,
    hasOfRange: async ({ firstOffset, lastOffset }, call = {}) => {
      for await (const { offset } of origins('all', call)) if (offset >= firstOffset && offset <= lastOffset) return true
      return false
    },
  }
}
