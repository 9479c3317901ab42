import type { DeadLetterPosition } from '@smart-whale/interfaces'
import type { DeadLetterSink, LetterSender } from './dead-letter-outbox.ts'
import type { LetterRange, SentLetters } from './sent-letters.ts'

type Call = { readonly signal: AbortSignal }

/** What the right to send the letters of a partition is taken with. */
export interface LetterWork {
  /** Takes the right. @default none, required */
  readonly deadLetters: DeadLetterSink
  /** Says which letters are there. @default none, required */
  readonly letters: SentLetters
}

/**
 * The right to send the letters of a partition, and what was there when it was taken. Letters that others sent came before, and were looked at then;
 * later ones the broker refuses. Where the right may have been lost in between it is taken again, and looked again: a ledger whose server failed over
 * may have forgotten an owner that sent letters meanwhile.
 */
export class LetterRight implements DeadLetterSink {
  /** The last offset of a letter that was there, where that is beyond what the ledger knew of at the claim. */
  seenUpTo: bigint | null = null
  readonly #work: LetterWork
  readonly #firstOffset: bigint
  #sender: LetterSender
  /** Letters before it were looked at, or this right has sent them. */
  #from: DeadLetterPosition
  /** A later such position, provided that the right was ours when it was asked for: its next commit tells. */
  #mark: { readonly position: DeadLetterPosition; readonly commits: number } | null = null

  /** Takes the right, then looks at the letters there are of records from an offset on. */
  static async take(work: LetterWork, { firstOffset, where }: { readonly firstOffset: bigint; readonly where: LetterRange }, call: Call): Promise<LetterRight> {
    const sender = await work.deadLetters.open(call)
    const right = new LetterRight(work, firstOffset, sender, await work.deadLetters.position(call))
    await right.#look(where, call)
    return right
  }

  private constructor(work: LetterWork, firstOffset: bigint, sender: LetterSender, from: DeadLetterPosition) {
    this.#work = work
    this.#firstOffset = firstOffset
    this.#sender = sender
    this.#from = from
  }

  /** Before any letter that is sent from now on, and before any that somebody else may have sent since the right was taken, as far as anybody knows. */
  async position(call: Call): Promise<DeadLetterPosition> {
    if (this.#mark !== null && this.#sender.commits > this.#mark.commits) this.#from = this.#mark.position
    this.#mark = { position: await this.#work.deadLetters.position(call), commits: this.#sender.commits }
    return this.#from
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
    const letter = await this.#work.letters.lastOffset(where, call)
    if (letter === null || letter < this.#firstOffset) return
    if (this.seenUpTo === null || letter > this.seenUpTo) this.seenUpTo = letter
  }
}
