import type { DeadLetterPosition, Slice } from '@smart-whale/interfaces'
import type { DeadLetterSink, LetterSender, UnseenLetters } from './dead-letter-outbox.ts'
import { isRecut, type SliceRecord } from './slice-records.ts'

/** What the letters of one attempt at a slice are sent with. */
export interface SliceLettersOptions {
  /** Where they go. @default none, required */
  readonly deadLetters: DeadLetterSink
  /** The slice as the ledger has had it in flight, when these records were sent before. @default none, required */
  readonly recorded: Slice | null
  /** Gives the attempt up. @default none, required */
  readonly signal: AbortSignal
}

/**
 * The dead letters of one attempt at a slice. Where nobody can have sent them before, they go to the broker while ClickHouse takes the rows, unseen,
 * and only count when the attempt sends them: the way there takes as long as the insert does.
 */
export class SliceLetters {
  readonly #excluded: readonly SliceRecord[]
  readonly #options: SliceLettersOptions
  #sender: LetterSender | null = null
  #ahead: Promise<UnseenLetters> | null = null

  constructor(excluded: readonly SliceRecord[], options: SliceLettersOptions) {
    this.#excluded = excluded
    this.#options = options
  }

  /** Lets them go ahead, where nobody has to look first which of them are there. What goes wrong with them is told when they are to count. */
  sendAhead(slice: Slice): void {
    if (this.#excluded.length === 0 || !this.#areNew(slice)) return
    this.#ahead = this.#begin(slice)
    this.#ahead.catch(() => {})
  }

  /** Takes the right to send them. To be called before it is made sure that the partition is still ours: whoever takes that over afterwards takes this right along. */
  async open(): Promise<void> {
    const { deadLetters, signal } = this.#options
    if (this.#ahead !== null) await this.#ahead
    else if (this.#excluded.length > 0) this.#sender ??= await deadLetters.open({ signal })
  }

  /** Each of them is there once, durably, when this resolves. */
  async send(slice: Slice): Promise<void> {
    const { signal } = this.#options
    const ahead = this.#ahead
    this.#ahead = null
    if (this.#excluded.length === 0) return
    if (this.#areNew(slice)) return (await (ahead ?? this.#begin(slice))).commit({ signal })
    const from = await this.#from(slice)
    // Nobody remembers where the letters of a slice that was cut anew would lie: they are looked for from the beginning.
    await this.#sender?.sendMissing(this.#excluded, isRecut(slice) ? { ...from, offset: 0n } : from, { signal })
  }

  /** Nobody will ever see what went ahead. */
  async takeBack(): Promise<void> {
    const ahead = await this.#ahead?.catch(() => null)
    this.#ahead = null
    await ahead?.takeBack()
  }

  /** Nobody can have sent them before. */
  #areNew(slice: Slice): boolean {
    return this.#options.recorded === null && !isRecut(slice)
  }

  async #begin(slice: Slice): Promise<UnseenLetters> {
    const { deadLetters, signal } = this.#options
    this.#sender ??= await deadLetters.open({ signal })
    return this.#sender.begin(this.#excluded, await this.#from(slice), { signal })
  }

  async #from({ deadLettersFrom }: Slice): Promise<DeadLetterPosition> {
    const { deadLetters, signal } = this.#options
    return deadLettersFrom ?? deadLetters.position({ signal })
  }
}
