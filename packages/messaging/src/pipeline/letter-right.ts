import type { DeadLetterPosition } from '@smart-whale/interfaces'
import type { DeadLetterSink, LetterSender } from './dead-letter-outbox.ts'
import { letterKey } from './letter-origin.ts'
import type { LetterRange, SentLetters } from './sent-letters.ts'
import { originOf, type SliceRecord } from './slice-records.ts'

type Call = { readonly signal: AbortSignal }

/** What the right to send the letters of a partition is taken with. */
export interface LetterWork {
  /** Takes the right. @default none, required */
  readonly deadLetters: DeadLetterSink
  /** Says which letters are there. @default none, required */
  readonly letters: SentLetters
}

/** Which letters matter, and where they are looked for. */
export interface LetterPlaces {
  /** Of the first record that is not done. */
  readonly firstOffset: bigint
  /** Of the first record that the ledger knows nothing of: it lies behind the slice in flight. */
  readonly endOffset: bigint
  readonly where: LetterRange
}

/**
 * The right to send the letters of a partition, and what was there when it was taken. Letters that others sent came before, and were looked at then;
 * later ones the broker refuses. Where the right may have been lost in between it is taken again, and looked again: a ledger whose server failed over
 * may have forgotten an owner that sent letters meanwhile.
 */
export class LetterRight implements DeadLetterSink {
  /** The last offset of a letter that was there, where that is beyond what the ledger knew of at the claim. */
  seenUpTo: bigint | null = null
  /** The records that had a letter, of those that are not done. */
  readonly #seen = new Set<string>()
  readonly #work: LetterWork
  readonly #places: LetterPlaces
  #sender: LetterSender
  /** Letters before it were looked at, or this right has sent them. */
  #from: DeadLetterPosition
  /** A later such position, provided that the right was ours when it was asked for: its next commit tells. */
  #mark: { readonly position: DeadLetterPosition; readonly commits: number } | null = null

  /** Takes the right. Which letters there are, {@link look} finds out: once everybody is refused who might send some. */
  static async take(work: LetterWork, places: LetterPlaces, call: Call): Promise<LetterRight> {
    const sender = await work.deadLetters.open(call)
    return new LetterRight(work, places, sender, await work.deadLetters.position(call))
  }

  private constructor(work: LetterWork, places: LetterPlaces, sender: LetterSender, from: DeadLetterPosition) {
    this.#work = work
    this.#places = places
    this.#sender = sender
    this.#from = from
  }

  /** Looks at the letters there are of records that are not done. Waits for what anybody has open in a transaction: a worker that was killed leaves that until its right is taken. */
  async look(call: Call): Promise<void> {
    await this.#look(this.#places.where, call)
  }

  /** Before any letter that is sent from now on, and before any that somebody else may have sent since the right was taken, as far as anybody knows. */
  async position(call: Call): Promise<DeadLetterPosition> {
    if (this.#mark !== null && this.#sender.commits > this.#mark.commits) this.#from = this.#mark.position
    this.#mark = { position: await this.#work.deadLetters.position(call), commits: this.#sender.commits }
    return this.#from
  }

  /** Whether a record had a letter, as far as it was looked for. */
  hasSeen(record: SliceRecord): boolean {
    return this.#seen.size > 0 && this.#seen.has(letterKey(originOf(record)))
  }

  async open(call: Call): Promise<LetterSender> {
    if (!this.#sender.isOver) return this.#sender
    const { deadLetters } = this.#work
    const sender = await deadLetters.open(call)
    this.#mark = null
    const from = await deadLetters.position(call)
    await this.#look(this.#from, call)
    this.#from = from
    this.#sender = sender
    return sender
  }

  async #look(where: LetterRange, call: Call): Promise<void> {
    for await (const origin of this.#work.letters.origins(where, call)) {
      if (origin.offset < this.#places.firstOffset) continue
      this.#seen.add(letterKey(origin))
      if (origin.offset < this.#places.endOffset) continue
      if (this.seenUpTo === null || origin.offset > this.seenUpTo) this.seenUpTo = origin.offset
    }
  }
}
