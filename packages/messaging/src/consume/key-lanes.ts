/** Items that are handled together. No other unit has one of their keys until it is released. */
export interface WorkUnit<Item> {
  readonly items: readonly Item[]
  readonly lanes: readonly Lane<Item>[]
}

/** What waits under one key, in order. */
export interface Lane<Item> {
  readonly key: string | null
  readonly waiting: Item[]
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
    if (known !== undefined) return void known.waiting.push(item)
    const lane: Lane<Item> = { key, waiting: [item] }
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
      items.push(...lane.waiting.splice(0, atMost - items.length))
      if (items.length === atMost) break
    }
    this.#waiting -= items.length
    return { items, lanes }
  }

  /** The unit's keys are free again. */
  release(unit: WorkUnit<Item>): void {
    for (const lane of unit.lanes) {
      if (lane.waiting.length > 0) this.#ready.add(lane)
      else if (lane.key !== null) this.#lanes.delete(lane.key)
    }
    this.#wake?.()
  }

  /** Hands out nothing more but these, in their turn. */
  endWith(isWanted: (item: Item) => boolean): void {
    this.#isEnding = true
    this.#waiting = 0
    for (const lane of this.#lanesWithItems()) {
      lane.waiting.splice(0, lane.waiting.length, ...lane.waiting.filter(isWanted))
      this.#waiting += lane.waiting.length
      if (lane.waiting.length === 0) this.#ready.delete(lane)
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
