import { deadLetterTopic } from '../dead-letter.ts'
import { recordsFrom } from '../dead-letters/read-dead-letters.ts'
import type { MessagingTransport, RecordBatch, TransportCallOptions } from '../transport.ts'
import { type LetterSource, originOfLetter } from './letter-origin.ts'

/** Says which dead letters of one partition are there, whoever sent them. */
export interface SentLetters {
  /**
   * The largest offset of a record that has a letter; null when none has one.
   * @param everywhere looks at all letters that there are; otherwise at the latest of each partition, which is quick
   */
  lastOffset(everywhere: boolean, call?: TransportCallOptions): Promise<bigint | null>
  /** Whether any record of the range (both ends included) has a letter. */
  hasOfRange(range: { readonly firstOffset: bigint; readonly lastOffset: bigint }, call?: TransportCallOptions): Promise<boolean>
}

/** How many of the latest letters of a partition are looked at. */
const LATEST = 2000n
const READ_BYTES = 4 * 1024 * 1024

/** Looks the letters of one partition up in the topic that they go to. */
export function createSentLetters(transport: MessagingTransport, source: LetterSource): SentLetters {
  const letters = deadLetterTopic(source.topic)

  async function* offsets(everywhere: boolean, call: TransportCallOptions): AsyncGenerator<bigint> {
    const description = await transport.topics.describe(letters, call)
    for (let partition = 0; partition < (description?.partitions ?? 0); partition++) {
      const from = everywhere ? 0n : await latestFrom(partition, call)
      for await (const batch of recordsFrom(transport, { topic: letters, partition, from }, { batchBytes: READ_BYTES, ...call })) yield* offsetsIn(batch)
    }
  }

  function* offsetsIn(batch: RecordBatch): Generator<bigint> {
    for (let index = 0; index < batch.length; index++) {
      const origin = originOfLetter(batch, index, source)
      if (origin !== null) yield origin.offset
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
    lastOffset: async (everywhere, call = {}) => {
      let last: bigint | null = null
      for await (const offset of offsets(everywhere, call)) if (last === null || offset > last) last = offset
      return last
    },
    hasOfRange: async ({ firstOffset, lastOffset }, call = {}) => {
      for await (const offset of offsets(true, call)) if (offset >= firstOffset && offset <= lastOffset) return true
      return false
    },
  }
}
