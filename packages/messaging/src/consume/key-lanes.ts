/** Items that are handled together. No other unit has one of their keys until it is released. */
export interface WorkUnit<Item> {
  readonly items: readonly Item[]
  readonly lanes: readonly { readonly key: string | null }[]
}

/** What waits under one key, in order. */
class Lane<Item> {
  readonly key: string | null
  #items: Item[]
  /** Those before it were taken; they are let go of together, as each removal from the front would move all the others. */
  #head = 0

  constructor(key: string | null, first: Item) {
    this.key = key
    this.#items = [first]
  }

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  take(atMost: number): Item[] {
    const taken = this.#items.slice(this.#head, this.#head + atMost)
    this.#head += taken.length
    if (this.#head > 1_024 || this.#head === this.#items.length) this.keep(() => true)
    return taken
  }

  keep(isWanted: (item: Item) => boolean): void {
    this.#items = this.#items.slice(this.#head).filter(isWanted)
    this.#head = 0
  }
}

/**
 * Hands out items so that those of one key never overlap and keep their order, and different keys don't wait for each other.
 * Keys take turns: a busy one doesn't hold up the rest.
 */
export class KeyLanes<Item> {
  readonly #lanes = new Map<string, Lane<Item>>()
  /** Lanes that have something and are not being worked on, in the order of their turns. */
  readonly #ready = new Set<Lane<Item>>()
  #isClosed = false
  #isEnding = false
  /** Items that were added and not handed out. */
  #waiting = 0
  #wake: (() => void) | undefined

  /** @param key items without one (null) are in no order to each other */
  add(key: string | null, item: Item): void {
    this.#waiting++
    const known = key === null ? undefined : this.#lanes.get(key)
    if (known !== undefined) return known.push(item)
    const lane = new Lane(key, item)
    if (key !== null) this.#lanes.set(key, lane)
    this.#ready.add(lane)
    this.#wake?.()
  }

  /** Up to so many items whose keys are free now; undefined when there are none. */
  take(atMost: number): WorkUnit<Item> | undefined {
    if (this.#isClosed || this.#ready.size === 0) return undefined
    const items: Item[] = []
    const lanes: Lane<Item>[] = []
    for (const lane of this.#ready) {
      this.#ready.delete(lane)
      lanes.push(lane)
      items.push(...lane.take(atMost - items.length))
      if (items.length === atMost) break
    }
    this.#waiting -= items.length
    return { items, lanes }
  }

  /** The unit's keys are free again. */
  release(unit: WorkUnit<Item>): void {
    for (const lane of unit.lanes as readonly Lane<Item>[]) {
      if (lane.length > 0) this.#ready.add(lane)
      else if (lane.key !== null) this.#lanes.delete(lane.key)
    }
    this.#wake?.()
  }

  /** Hands out nothing more but these, in their turn. */
  endWith(isWanted: (item: Item) => boolean): void {
    this.#isEnding = true
    this.#waiting = 0
    for (const lane of this.#lanesWithItems()) {
      lane.keep(isWanted)
      this.#waiting += lane.length
      if (lane.length === 0) this.#ready.delete(lane)
    }
    this.#wake?.()
  }

  /** Nothing is handed out any more. */
  close(): void {
    this.#isClosed = true
    this.#wake?.()
  }

  /** Resolves true when there is something to take, false when there never will be. */
  async waitForWork(): Promise<boolean> {
    while (!this.#isClosed && this.#ready.size === 0) {
      if (this.#isEnding && this.#waiting === 0) return false
      const woken = Promise.withResolvers<void>()
      this.#wake = woken.resolve
      await woken.promise
      this.#wake = undefined
    }
    return !this.#isClosed
  }

  /** Those with a key, busy or not, and those without. */
  #lanesWithItems(): ReadonlySet<Lane<Item>> {
    return new Set([...this.#lanes.values(), ...this.#ready])
  }
}
