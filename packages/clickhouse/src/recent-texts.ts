/** About what an entry takes besides its text: its place, and what was made of it. Else short texts would be many times what they count for. */
const BYTES_BESIDES = 1000

/** What was made of the latest texts, within a bound of memory. The oldest leave first; a text that takes more than half of it is not kept, for it would drive out nearly all. */
export class RecentTexts<Value> {
  readonly #maxBytes: number
  readonly #byText = new Map<string, Value>()
  #bytes = 0

  /** @param maxBytes about how much memory it may take */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get(text: string): Value | undefined {
    return this.#byText.get(text)
  }

  /** @param text one that `get` doesn't know */
  add(text: string, value: Value): void {
    if (bytesOf(text) > this.#maxBytes / 2) return
    this.#byText.set(text, value)
    this.#bytes += bytesOf(text)
    for (const oldest of this.#byText.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.#byText.delete(oldest)
      this.#bytes -= bytesOf(oldest)
    }
  }
}

const bytesOf = (text: string): number => 2 * text.length + BYTES_BESIDES
