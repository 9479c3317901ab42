/** No slot: the end of a queue. */
export const NONE = -1

/** Which slot comes before and after which; shared by the queues that a slot may stand in, one at a time. */
export class SlotLinks {
  older = new Int32Array(0)
  newer = new Int32Array(0)

  /** Room for that many slots. */
  grow(size: number): void {
    this.older = grown(this.older, new Int32Array(size))
    this.newer = grown(this.newer, new Int32Array(size))
  }
}

/** Slots in the order in which they came: no object an element, and removal from the middle. */
export class SlotQueue {
  oldest = NONE
  newest = NONE
  size = 0
  readonly #links: SlotLinks

  constructor(links: SlotLinks) {
    this.#links = links
  }

  push(slot: number): void {
    const { older, newer } = this.#links
    older[slot] = this.newest
    newer[slot] = NONE
    if (this.newest === NONE) this.oldest = slot
    else newer[this.newest] = slot
    this.newest = slot
    this.size += 1
  }

  remove(slot: number): void {
    const { older, newer } = this.#links
    const before = older[slot]!
    const after = newer[slot]!
    if (before === NONE) this.oldest = after
    else newer[before] = after
    if (after === NONE) this.newest = before
    else older[after] = before
    this.size -= 1
  }

  clear(): void {
    this.oldest = NONE
    this.newest = NONE
    this.size = 0
  }
}

/** A larger array that begins like the smaller one. */
export function grown<A extends Float64Array | Uint32Array | Int32Array>(from: A, to: A): A {
  to.set(from)
  return to
}
