import { deadLetterTopic } from '../dead-letter.ts'
import type { MessagingTransport, RecordBatch, TransportCallOptions } from '../transport.ts'
import { recordsFrom } from './read-dead-letters.ts'
import type { ReplayIntent } from './replay-journal.ts'
import { textOf } from './text-of.ts'

/** The header of an event that was a dead letter: which one it was. */
export const REPLAY_OF_HEADER = 'smartwhale-replay-of'

/** What that header says. */
export function replayMark(topic: string, place: string): string {
  return `${deadLetterTopic(topic)}/${place}`
}

/** Which letters of an intent did arrive in the topic: they lie behind its marks, each with its mark. */
export async function findReplayed(transport: MessagingTransport, topic: string, intent: ReplayIntent, call: TransportCallOptions): Promise<ReadonlySet<string>> {
  const wanted = new Map(intent.letters.map((letter) => [replayMark(topic, letter), letter]))
  const found = new Set<string>()
  for (const [partition, from] of Object.entries(intent.marks)) {
    for await (const batch of recordsFrom(transport, { topic, partition: Number(partition), from }, { batchBytes: 4 * 1024 * 1024, ...call })) {
      for (const letter of lettersIn(batch, wanted)) found.add(letter)
    }
  }
  return found
}

function* lettersIn(batch: RecordBatch, wanted: ReadonlyMap<string, string>): Iterable<string> {
  for (let index = 0; index < batch.length; index++) {
    const letter = wanted.get(textOf(batch.headersAt(index)[REPLAY_OF_HEADER]) ?? '')
    if (letter !== undefined) yield letter
  }
}
