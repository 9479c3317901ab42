import { FrequencySketch } from './frequency-sketch.ts'
import { Ghosts } from './ghosts.ts'
import { grown, NONE, SlotLinks, SlotQueue } from './slot-queue.ts'

/** Bits of a slot's mark: reads since the hand last came by (0 to 3), flags, and above them the hits of its value. */
const REUSE = 3
const MAIN = 4
const WATCHED = 8
const ONE_HIT = 64
const HITS_SHIFT = 6
/** Flag for who holds the values: each reader needs a copy. */
export const COPIED = 16
/** Flag for who holds the values: the entry's life ends. */
export const MORTAL = 32
/** A read of a slot with none of these needs nothing but a new mark. */
export const ANYTHING_TO_DO = WATCHED | COPIED | MORTAL

/** The mark after one more read. */
export const markOfRead = (mark: number): number => ((mark & REUSE) === REUSE ? mark + ONE_HIT : mark + ONE_HIT + 1) | 0

const FIRST_SIZE = 64
/** Reads and writes for each entry after which what was counted is halved. */
const ACCESSES_PER_AGE = 10
/** Candidates in the main queue of which the least used has to defend its place. */
const COMPARED = 8
/** Share of ghosts to entries. */
const GHOST_SHARE = 0.9
const MOST_USES = 1_000_000

/**
 * Who is let in and who has to go:
 * - `frequency`: a newcomer that leaves the window takes the place of the least used of some old ones if it was used more often (W-TinyLFU's admission);
 * - `ghosts`: a newcomer stays if it was used twice in the window or comes back soon after it left (S3-FIFO);
 * - `recency`: one queue, in which what was read gets another round (CLOCK, which does what LRU does).
 */
export type EvictionMode = 'frequency' | 'ghosts' | 'recency'

/** Share of the entries that the window holds, where newcomers wait. */
const WINDOW_SHARE: Readonly<Record<EvictionMode, number>> = { frequency: 0.02, ghosts: 0.1, recency: 1 }

/**
 * The order in which numbered slots are evicted: a window for newcomers, and a main queue for what has proved itself. Reading marks a slot and
 * moves nothing; all work is done when room is needed. The mode may change at any time: both queues are the same in all of them.
 */
export class EvictionQueues {
  mode: EvictionMode
  /** What a read looks at and changes, in one word. */
  marks = new Int32Array(FIRST_SIZE)
  #hashes = new Int32Array(FIRST_SIZE)
  /** Uses that count besides the hits of the value: of values before, and, below 0, hits that have faded. */
  #usesBefore = new Int32Array(FIRST_SIZE)
  readonly #links = new SlotLinks()
  readonly #window = new SlotQueue(this.#links)
  readonly #main = new SlotQueue(this.#links)
  readonly #free: number[] = []
  #used = 0
  /** Entries that were there when room was first needed; 0 before that. */
  #capacity = 0
  #sketch: FrequencySketch | undefined
  #ghosts: Ghosts | undefined
  #accesses = 0

  constructor(mode: EvictionMode) {
    this.mode = mode
    this.#links.grow(FIRST_SIZE)
  }

  /** Slots that were ever in use; some may be free. */
  get used(): number {
    return this.#used
  }

  get size(): number {
    return this.#window.size + this.#main.size
  }

  /** A slot for a newcomer. */
  add(hash: number): number {
    const slot = this.#free.pop() ?? this.#nextSlot()
    this.#hashes[slot] = hash
    this.#usesBefore[slot] = 1
    this.marks[slot] = 0
    this.#accesses += 1
    if (this.#ghosts?.take(hash) === true && this.mode === 'ghosts') this.#pushToMain(slot)
    else this.#window.push(slot)
    return slot
  }

  remove(slot: number): void {
    this.#queueOf(slot).remove(slot)
    this.#free.push(slot)
  }

  /** Takes a slot out because room is needed, and remembers that it was there. */
  evict(slot: number): void {
    this.#sketch?.add(this.#hashes[slot]!, this.#usesOf(slot))
    this.#ghosts?.add(this.#hashes[slot]!)
    this.remove(slot)
  }

  /** Notes a read; whether the slot is one of those that {@link watch} chose. */
  touch(slot: number): boolean {
    const mark = this.marks[slot]!
    this.marks[slot] = markOfRead(mark)
    return (mark & WATCHED) !== 0
  }

  /** Begins to count hits anew for a new value, with these of the flags for who holds it. One that replaces another counts as a use of its key. */
  renew(slot: number, flags: number, replaces: boolean): void {
    const mark = this.marks[slot]!
    if (replaces) this.#usesBefore[slot] = Math.min(this.#usesOf(slot) + 1, MOST_USES)
    const reuse = replaces ? Math.min(REUSE, (mark & REUSE) + 1) : 0
    this.marks[slot] = (mark & (MAIN | WATCHED)) | flags | reuse
  }

  hitsOf(slot: number): number {
    return this.marks[slot]! >>> HITS_SHIFT
  }

  hashOf(slot: number): number {
    return this.#hashes[slot]!
  }

  /** Chooses which slots' reads are told by {@link touch}. */
  watch(slot: number, isWatched: boolean): void {
    this.marks[slot] = isWatched ? this.marks[slot]! | WATCHED : this.marks[slot]! & ~WATCHED
  }

  /** The slot to evict next; there must be one. */
  chooseVictim(): number {
    this.#prepareFor(this.size)
    if (this.#accesses >= ACCESSES_PER_AGE * this.#capacity) this.#fade()
    if (this.mode === 'recency') return this.#leastRecent()
    return this.mode === 'ghosts' ? this.#unproven() : this.#leastFrequent()
  }

  /** Counts reads that {@link touch} doesn't see as time that passes. */
  countReads(reads: number): void {
    this.#accesses += reads
  }

  clear(): void {
    this.#window.clear()
    this.#main.clear()
    this.#free.length = 0
    this.#used = 0
  }

  #leastRecent(): number {
    // What was in the main queue under another mode goes first; what was read of it joins the one queue.
    while (this.#main.size > 0) {
      const slot = this.#main.oldest
      if ((this.marks[slot]! & REUSE) === 0) return slot
      this.#main.remove(slot)
      this.marks[slot]! &= ~(REUSE | MAIN)
      this.#window.push(slot)
    }
    return this.#unreadInWindow()
  }

  #unproven(): number {
    const most = this.#windowSize()
    while (this.#window.size > 0 && (this.#window.size >= most || this.#main.size === 0)) {
      const slot = this.#window.oldest
      if ((this.marks[slot]! & REUSE) < 2) return slot
      this.#window.remove(slot)
      this.#pushToMain(slot)
      if (this.#main.size > this.#capacity - most) break
    }
    return this.#unreadInMain()
  }

  #leastFrequent(): number {
    const most = this.#windowSize()
    if (this.#window.size < most && this.#main.size > 0) return this.#unreadInMain()
    const newcomer = this.#unreadInWindow()
    if (this.#main.size === 0) {
      this.#moveOverflow(most + 1, newcomer)
      return newcomer
    }
    const old = this.#leastUsedInMain()
    if (this.#usesOf(newcomer) + this.#seenBefore(newcomer) <= this.#usesOf(old) + this.#seenBefore(old)) {
      this.#moveOverflow(most + 1, newcomer)
      return newcomer
    }
    this.#window.remove(newcomer)
    this.#pushToMain(newcomer)
    this.#moveOverflow(most, NONE)
    return old
  }

  /** Of some that weren't read lately, the one that was used least. */
  #leastUsedInMain(): number {
    let least = this.#unreadInMain()
    let fewest = this.#usesOf(least) + this.#seenBefore(least)
    let slot = this.#links.newer[least]!
    for (let looked = 1; looked < COMPARED && slot !== NONE; looked++, slot = this.#links.newer[slot]!) {
      if ((this.marks[slot]! & REUSE) !== 0) continue
      const uses = this.#usesOf(slot) + this.#seenBefore(slot)
      if (uses < fewest) [least, fewest] = [slot, uses]
    }
    return least
  }

  #unreadInWindow(): number {
    for (;;) {
      const slot = this.#window.oldest
      if ((this.marks[slot]! & REUSE) === 0) return slot
      this.marks[slot]! &= ~REUSE
      this.#window.remove(slot)
      this.#window.push(slot)
    }
  }

  #unreadInMain(): number {
    for (;;) {
      const slot = this.#main.oldest
      if ((this.marks[slot]! & REUSE) === 0) return slot
      this.marks[slot]! -= 1
      this.#main.remove(slot)
      this.#main.push(slot)
    }
  }

  /** Newcomers beyond the window's size had luck: there is room for them. */
  #moveOverflow(most: number, except: number): void {
    while (this.#window.size > most) {
      const slot = this.#window.oldest === except ? this.#links.newer[except]! : this.#window.oldest
      this.#window.remove(slot)
      this.#pushToMain(slot)
    }
  }

  #pushToMain(slot: number): void {
    this.marks[slot] = (this.marks[slot]! & ~REUSE) | MAIN
    this.#main.push(slot)
  }

  #queueOf(slot: number): SlotQueue {
    return (this.marks[slot]! & MAIN) === 0 ? this.#window : this.#main
  }

  #windowSize(): number {
    return Math.max(1, Math.min(this.#capacity, Math.round(WINDOW_SHARE[this.mode] * this.#capacity)))
  }

  #usesOf(slot: number): number {
    return Math.max(1, this.hitsOf(slot) + this.#usesBefore[slot]!)
  }

  #seenBefore(slot: number): number {
    return this.#sketch?.countOf(this.#hashes[slot]!) ?? 0
  }

  /** What is needed to evict is made when room is first needed, and again when there are far more or fewer entries than thought. */
  #prepareFor(entries: number): void {
    if (this.#capacity > 0 && entries <= this.#capacity * 2 && entries * 4 >= this.#capacity) return
    this.#capacity = entries
    this.#sketch = new FrequencySketch(entries)
    this.#ghosts = new Ghosts(Math.ceil(entries * GHOST_SHARE))
  }

  #fade(): void {
    this.#accesses >>= 1
    this.#sketch?.halve()
    for (let slot = 0; slot < this.#used; slot++) this.#usesBefore[slot] = (this.#usesOf(slot) >> 1) - this.hitsOf(slot)
  }

  #nextSlot(): number {
    const slot = this.#used++
    if (slot === this.marks.length) this.#grow(slot * 2)
    return slot
  }

  #grow(size: number): void {
    this.marks = grown(this.marks, new Int32Array(size))
    this.#hashes = grown(this.#hashes, new Int32Array(size))
    this.#usesBefore = grown(this.#usesBefore, new Int32Array(size))
    this.#links.grow(size)
  }
}

