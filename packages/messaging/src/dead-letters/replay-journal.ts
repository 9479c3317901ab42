import { createHash } from 'node:crypto'
import { z } from 'zod'
import { deadLetterTopic } from '../dead-letter.ts'
import { messagingError } from '../errors.ts'
import { MAX_TOPIC_NAME_LENGTH } from '../topic-name.ts'
import type { MessagingTransport, PartitionReader, TransportCallOptions } from '../transport.ts'

/** Some letters that are about to be sent again, and where the topic ended before. */
export interface ReplayIntent {
  readonly id: string
  /** The letters, by their place in the dead-letter topic. */
  readonly letters: readonly string[]
  /** Where each partition of the topic ended when the intent was written: what is sent lies behind. */
  readonly marks: Readonly<Record<string, bigint>>
}

/** Who did what to dead letters, and why: the journal keeps it for good. */
export interface ReplayActor {
  /** A user, or a job. */
  readonly by: string
  /** Short name of the patch; `none` when they went as they were. */
  readonly patch: string
}

/** What the journal knows when it is opened. */
export interface JournalState {
  /** Letters that are settled: sent again, or dropped. By place. */
  readonly settled: Set<string>
  /** Intents whose outcome isn't written down: whoever wrote them died, or did not learn it. */
  readonly open: Map<string, ReplayIntent>
}

const digits = z.string().regex(/^\d{1,19}$/)
const entrySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('intent'), id: z.string(), letters: z.array(z.string()), marks: z.record(z.string(), digits), by: z.string(), patch: z.string(), at: z.string() }),
  z.object({ kind: z.literal('done'), id: z.string(), sent: z.array(z.string()), at: z.string() }),
  z.object({ kind: z.literal('dropped'), letters: z.array(z.string()), by: z.string(), at: z.string() }),
])

/** One entry of the journal. */
export type JournalEntry = z.output<typeof entrySchema>

const SUFFIX = '.journal'

/** The topic that keeps what was done about the dead letters of a topic. */
export function journalTopic(topic: string): string {
  const name = deadLetterTopic(topic) + SUFFIX
  if (name.length <= MAX_TOPIC_NAME_LENGTH) return name
  return `${createHash('sha256').update(topic).digest('hex').slice(0, 40)}${SUFFIX}`
}

/**
 * What was done about the dead letters of one topic, kept in a topic of its own: who sent which letters again, when, with which patch.
 * An intent is written before anything is sent, so that a replay that dies halfway can be finished without sending a letter twice.
 */
export class ReplayJournal {
  readonly state: JournalState = { settled: new Set(), open: new Map() }
  readonly #transport: MessagingTransport
  readonly #reader: PartitionReader
  readonly #call: TransportCallOptions

  private constructor(transport: MessagingTransport, reader: PartitionReader, call: TransportCallOptions) {
    this.#transport = transport
    this.#reader = reader
    this.#call = call
  }

  /** Reads the journal through a reader that nobody else has at the same time. */
  static async open(transport: MessagingTransport, reader: PartitionReader, call: TransportCallOptions): Promise<ReplayJournal> {
    const journal = new ReplayJournal(transport, reader, call)
    const { earliest, latest } = await reader.bounds(call)
    if (earliest < latest) reader.seek(earliest)
    for (let next = earliest; next < latest; ) {
      const batch = await reader.read({ maxBytes: 1024 * 1024, maxRecords: 1000, maxWaitMs: 1000, signal: call.signal })
      for (let index = 0; index < batch.length; index++) journal.#apply(readEntry(batch.valueAt(index), reader.topic, batch.offsetAt(index)))
      next = batch.nextOffset
    }
    return journal
  }

  async intend(intent: ReplayIntent, { by, patch }: ReplayActor): Promise<void> {
    const marks = Object.fromEntries(Object.entries(intent.marks).map(([partition, offset]) => [partition, String(offset)]))
    await this.#write({ kind: 'intent', id: intent.id, letters: [...intent.letters], marks, by, patch, at: new Date().toISOString() })
  }

  /** Closes an intent: these of its letters were sent, the others were not. */
  async settle(intent: ReplayIntent, sent: readonly string[]): Promise<void> {
    await this.#write({ kind: 'done', id: intent.id, sent: [...sent], at: new Date().toISOString() })
  }

  /** Notes that these letters are not to be sent again. */
  async drop(letters: readonly string[], by: string): Promise<void> {
    await this.#write({ kind: 'dropped', letters: [...letters], by, at: new Date().toISOString() })
  }

  /**
   * Asks the group whether the journal is still ours: whoever was asleep for longer than its session is told by the coordinator, whatever it
   * believes itself. Before anything is sent.
   *
   * @throws OperationError `ERR_MESSAGING_FENCED` when another replay has it
   */
  async checkHeld(): Promise<void> {
    await this.#reader.commit(0n, this.#call)
  }

  async #write(entry: JournalEntry): Promise<void> {
    await this.checkHeld()
    await this.#transport.send(this.#reader.topic, [{ value: JSON.stringify(entry) }], this.#call)
    this.#apply(entry)
  }

  #apply(entry: JournalEntry): void {
    const { settled, open } = this.state
    if (entry.kind === 'intent') {
      const marks = Object.fromEntries(Object.entries(entry.marks).map(([partition, offset]) => [partition, BigInt(offset)]))
      open.set(entry.id, { id: entry.id, letters: entry.letters, marks })
      return
    }
    if (entry.kind === 'done') open.delete(entry.id)
    for (const letter of entry.kind === 'done' ? entry.sent : entry.letters) settled.add(letter)
  }
}

/** @throws OperationError `ERR_MESSAGING_JOURNAL` for what no replay wrote */
export function readEntry(value: Uint8Array | null, topic: string, offset: bigint): JournalEntry {
  try {
    return entrySchema.parse(JSON.parse(Buffer.from(value ?? []).toString('utf8')))
  } catch (error) {
    throw messagingError('ERR_MESSAGING_JOURNAL', `the entry at offset ${offset} of "${topic}" is none of a replay journal: something else writes to that topic; find out what before letters are sent again`, { cause: error, context: { topic } })
  }
}
