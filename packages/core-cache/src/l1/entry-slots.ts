import { COPIED, type EvictionMode, EvictionQueues, MORTAL } from './eviction-queues.ts'
import { ModeChooser } from './mode-chooser.ts'
import { grown } from './slot-queue.ts'

const FIRST_SIZE = 64
/** Reads of sampled keys that are looked at for each entry that had to go: while hardly any goes, how they are chosen hardly matters, and reads cost nothing. */
const READS_LOOKED_AT = 8
const MOST_READS_LOOKED_AT = 4096

/**
 * Entries in numbered slots, one array a field: no object and no closure an entry, and nothing for the garbage collector to trace but keys and values.
 * Which one makes room is decided by {@link EvictionQueues}, in the mode that {@link ModeChooser} finds best for the traffic.
 */
export class EntrySlots {
  readonly slotOf = new Map<string, number>()
  keys: (string | undefined)[] = []
  values: unknown[] = []
  /** Monotonic milliseconds; `Infinity` for never. */
  expiresAtMs = new Float64Array(FIRST_SIZE)
  storedAtMs = new Float64Array(FIRST_SIZE)
  bytes = new Float64Array(FIRST_SIZE)
  readonly queues = new EvictionQueues('frequency')
  #chooser: ModeChooser | undefined
  /** Entries that the chooser was made for. */
  #chooserEntries = 0
  #readsToLookAt = 0

  /** Slots that were ever in use; some may be free. */
  get used(): number {
    return this.queues.used
  }

  /** How victims are chosen at the moment. */
  get mode(): EvictionMode {
    return this.queues.mode
  }

  /** Takes a slot for a new key. The caller fills the other fields. */
  add(key: string): number {
    const hash = hashOfText(key)
    const slot = this.queues.add(hash)
    if (slot >= this.bytes.length) this.#grow(this.bytes.length * 2)
    this.slotOf.set(key, slot)
    this.keys[slot] = key
    if (this.#chooser?.isSampled(hash) === true) {
      this.queues.watch(slot, true)
      this.#tell(slot)
    }
    return slot
  }

  remove(slot: number): void {
    this.#forget(slot)
    this.queues.remove(slot)
  }

  /** Notes a read. */
  touch(slot: number): void {
    if (this.queues.touch(slot) && this.#readsToLookAt > 0) {
      this.#readsToLookAt -= 1
      this.#tell(slot)
    }
  }

  /** Whether each reader needs a copy of the value. */
  isCopied(slot: number): boolean {
    return (this.queues.marks[slot]! & COPIED) !== 0
  }

  /** Puts a value in and begins to count its hits. */
  fill(slot: number, value: unknown, { copied, mortal, replaces }: { readonly copied: boolean; readonly mortal: boolean; readonly replaces: boolean }): void {
    this.values[slot] = value
    this.queues.renew(slot, (copied ? COPIED : 0) | (mortal ? MORTAL : 0), replaces)
  }

  /** How often the value was read. */
  hitsOf(slot: number): number {
    return this.queues.hitsOf(slot)
  }

  /** Removes the entry that can be missed best; there must be one. Wants to know how many reads there were since it was last called. */
  evict(reads: number): number {
    this.#prepareToChoose()
    this.#readsToLookAt = Math.min(MOST_READS_LOOKED_AT, this.#readsToLookAt + READS_LOOKED_AT)
    this.queues.countReads(reads)
    const victim = this.queues.chooseVictim()
    this.#forget(victim)
    this.queues.evict(victim)
    return victim
  }

  clear(): void {
    this.slotOf.clear()
    this.keys = []
    this.values = []
    this.queues.clear()
  }

  #forget(slot: number): void {
    this.slotOf.delete(this.keys[slot] as string)
    this.keys[slot] = undefined
    this.values[slot] = undefined
  }

  #tell(slot: number): void {
    const chooser = this.#chooser
    if (chooser?.access(this.queues.hashOf(slot)) === true) this.queues.mode = chooser.mode
  }

  /** A cache that never fills needs no sample of its traffic. */
  #prepareToChoose(): void {
    const entries = this.slotOf.size
    if (this.#chooser !== undefined && entries <= this.#chooserEntries * 2 && entries * 4 >= this.#chooserEntries) return
    const chooser = new ModeChooser(entries)
    this.#chooser = chooser
    this.#chooserEntries = entries
    for (const slot of this.slotOf.values()) this.queues.watch(slot, chooser.isSampled(this.queues.hashOf(slot)))
  }

  #grow(size: number): void {
    this.expiresAtMs = grown(this.expiresAtMs, new Float64Array(size))
    this.storedAtMs = grown(this.storedAtMs, new Float64Array(size))
    this.bytes = grown(this.bytes, new Float64Array(size))
  }
}

/** 32 bits of a text (FNV-1a over UTF-16 units). */
function hashOfText(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
