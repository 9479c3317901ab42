import type { MessagingTransport, RecordPosition, TransportCallOptions } from '../transport.ts'
import { findReplayed } from './find-replayed.ts'
import { recordsFrom } from './read-dead-letters.ts'
import { type JournalEntry, journalTopic, readEntry, type ReplayIntent } from './replay-journal.ts'
import { placeOf } from './select-dead-letters.ts'

/** What became of a dead letter that is settled. */
export interface LetterFate {
  readonly state: 'replayed' | 'dropped'
  /** Who did it. */
  readonly by: string
  /** When, in ISO 8601. */
  readonly at: string
  /** Short name of the patch that it was sent with; null for one that went as it was, or was dropped. */
  readonly patch: string | null
}

/** Tells what became of a letter, by where it lies; null while it is open. */
export type FateOf = (position: RecordPosition) => LetterFate | null

const BATCH_BYTES = 1024 * 1024

/**
 * Reads in the journal what became of the dead letters of a topic. It holds nothing and keeps nobody out, so a replay that runs meanwhile may
 * be ahead of the answer; what a replay that died had sent is looked for in the topic.
 */
export async function readFates(transport: MessagingTransport, topic: string, call: TransportCallOptions = {}): Promise<FateOf> {
  const fates = new Map<string, LetterFate>()
  const open = new Map<string, { readonly intent: ReplayIntent; readonly fate: LetterFate }>()
  const name = journalTopic(topic)
  if ((await transport.topics.describe(name, call)) === null) return () => null
  for await (const batch of recordsFrom(transport, { topic: name, partition: 0 }, { batchBytes: BATCH_BYTES, ...call })) {
    for (let index = 0; index < batch.length; index++) note(readEntry(batch.valueAt(index), name, batch.offsetAt(index)), fates, open)
  }
  for (const { intent, fate } of open.values()) for (const letter of await findReplayed(transport, topic, intent, call)) fates.set(letter, fate)
  return (position) => fates.get(placeOf(position)) ?? null
}

function note(entry: JournalEntry, fates: Map<string, LetterFate>, open: Map<string, { intent: ReplayIntent; fate: LetterFate }>): void {
  if (entry.kind === 'intent') {
    const { id, letters, marks, by, at, patch } = entry
    const intent = { id, letters, marks: Object.fromEntries(Object.entries(marks).map(([partition, offset]) => [partition, BigInt(offset)])) }
    open.set(id, { intent, fate: { state: 'replayed', by, at, patch: patch === 'none' ? null : patch } })
    return
  }
  if (entry.kind === 'dropped') {
    for (const letter of entry.letters) fates.set(letter, { state: 'dropped', by: entry.by, at: entry.at, patch: null })
    return
  }
  const fate = open.get(entry.id)?.fate ?? { state: 'replayed', by: 'unknown', at: entry.at, patch: null }
  for (const letter of entry.sent) fates.set(letter, fate)
  open.delete(entry.id)
}
