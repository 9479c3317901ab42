/** No slot: the end of the queue, or no hand yet. */
const NONE = -1
const FIRST_SIZE = 64

/** Bits of a slot's mark: read since the hand last came by; may be handed to everybody; and above them the hits. */
const VISITED = 1
const FROZEN = 2
const ONE_HIT = 4

/**
 * Entries in numbered slots, one array a field: no object and no closure an entry, and nothing for the garbage collector to trace
 * but keys and values.
 *
 * Eviction is SIEVE (Y. Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024): entries stand in a queue by age; reading one
 * only marks it. A hand goes from the oldest towards the newest, takes marks away, and evicts the first entry without one.
 * New entries that nobody reads again leave early, as in a scan; read ones stay, and a read never moves anything.
 */
export class SieveSlots {
  readonly slotOf = new Map<string, number>()
  keys: (string | undefined)[] = []
  values: unknown[] = []
  /** Monotonic milliseconds; `Infinity` for never. */
  expiresAtMs = new Float64Array(FIRST_SIZE)
  storedAtMs = new Float64Array(FIRST_SIZE)
  bytes = new Float64Array(FIRST_SIZE)
  /** What a read looks at and changes, in one word: two marks and the number of hits (which begins anew after 2³⁰). */
  #marks = new Uint32Array(FIRST_SIZE)
  #older = new Int32Array(FIRST_SIZE)
  #newer = new Int32Array(FIRST_SIZE)
  #oldest = NONE
  #newest = NONE
  #hand = NONE
  #used = 0
  readonly #free: number[] = []

  /** Slots that were ever in use; some may be free. */
  get used(): number {
    return this.#used
  }

  /** Takes a slot for a new key, which becomes the newest in the queue. The caller fills the other fields. */
  add(key: string): number {
    const slot = this.#free.pop() ?? this.#nextSlot()
    this.slotOf.set(key, slot)
    this.keys[slot] = key
    this.#marks[slot] = 0
    this.#older[slot] = this.#newest
    this.#newer[slot] = NONE
    if (this.#newest === NONE) this.#oldest = slot
    else this.#newer[this.#newest] = slot
    this.#newest = slot
    return slot
  }

  /** Frees a slot. */
  remove(slot: number): void {
    const older = this.#older[slot]!
    const newer = this.#newer[slot]!
    if (this.#hand === slot) this.#hand = newer
    if (older === NONE) this.#oldest = newer
    else this.#newer[older] = newer
    if (newer === NONE) this.#newest = older
    else this.#older[newer] = older
    this.slotOf.delete(this.keys[slot] as string)
    this.keys[slot] = undefined
    this.values[slot] = undefined
    this.#free.push(slot)
  }

  /** Notes a read. */
  touch(slot: number): void {
    this.#marks[slot] = (this.#marks[slot]! | VISITED) + ONE_HIT
  }

  /** Whether the value may be handed to everybody as it is. */
  isFrozen(slot: number): boolean {
    return (this.#marks[slot]! & FROZEN) !== 0
  }

  /** Begins to count hits anew for a new value. A value that replaces another counts as a use of its key. */
  fill(slot: number, value: unknown, frozen: boolean, replaces: boolean): void {
    this.values[slot] = value
    this.#marks[slot] = (frozen ? FROZEN : 0) | (replaces ? VISITED : 0)
  }

  /** How often the value was read. */
  hitsOf(slot: number): number {
    return this.#marks[slot]! >>> 2
  }

  /** The slot to evict next; there must be one. */
  chooseVictim(): number {
    let slot = this.#hand === NONE ? this.#oldest : this.#hand
    while ((this.#marks[slot]! & VISITED) !== 0) {
      this.#marks[slot]! -= VISITED
      const newer = this.#newer[slot]!
      slot = newer === NONE ? this.#oldest : newer
    }
    this.#hand = slot
    return slot
  }

  clear(): void {
    this.slotOf.clear()
    this.keys = []
    this.values = []
    this.#free.length = 0
    this.#used = 0
    this.#oldest = NONE
    this.#newest = NONE
    this.#hand = NONE
  }

  #nextSlot(): number {
    const slot = this.#used++
    if (slot === this.#marks.length) this.#grow(slot * 2)
    return slot
  }

  #grow(size: number): void {
    this.expiresAtMs = grown(this.expiresAtMs, new Float64Array(size))
    this.storedAtMs = grown(this.storedAtMs, new Float64Array(size))
    this.bytes = grown(this.bytes, new Float64Array(size))
    this.#marks = grown(this.#marks, new Uint32Array(size))
    this.#older = grown(this.#older, new Int32Array(size))
    this.#newer = grown(this.#newer, new Int32Array(size))
  }
}

function grown<A extends Float64Array | Uint32Array | Int32Array>(from: A, to: A): A {
  to.set(from)
  return to
}
