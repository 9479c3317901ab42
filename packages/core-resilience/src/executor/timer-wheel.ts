import { type Clock, systemClock, type TimerHandle } from '@smart-whale/interfaces'

const SLOTS = 64
const SLOT_BITS = 6
/** Six rings of 64 slots, the first of 1 ms each, every further one 64 times as wide: 2 years, far more than any timer. */
const RINGS = 6
/** In place of a slot: put in since the timer last fired. Most of it is taken out again before its place in a ring matters. */
const FRESH = SLOTS * RINGS
/** Times are whole numbers of 31 bits from the wheel's origin; the origin moves on before they run out. */
const FARTHEST_MS = 2 ** 31 - 1
const MOVE_ORIGIN_AFTER_MS = 2 ** 30
/**
 * The machine's timer of an empty wheel is left to fire within this time rather than cleared: calls in quick succession
 * then share one timer instead of setting and clearing one each, which would cost more than the rest of the call.
 */
const LINGER_MS = 20
const NOT_ARMED = Infinity
/** In place of a slot: taken out and about to expire; a `remove` meanwhile makes it -1. */
const TAKEN = -2

/** Something that waits in a {@link TimerWheel}; a link of the list of its slot. */
export abstract class TimerEntry {
  dueAtMs = 0
  /** The slot's number, below 0 when it waits in none. */
  slot = -1
  previous: TimerEntry | undefined = undefined
  next: TimerEntry | undefined = undefined

  /** The time has come. Called once, unless taken out before. Must not throw. */
  abstract expire(): void
}

/**
 * Every deadline and wait of one clock behind a single timer of it: a hashed and hierarchical timing wheel
 * (G. Varghese, T. Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987). Putting in and taking out are a few
 * assignments. Unlike the classic wheel it doesn't tick: its timer is set for the earliest entry, to the fraction of a millisecond.
 */
export class TimerWheel {
  readonly #clock: Clock
  readonly #mayLinger: boolean
  readonly #first: (TimerEntry | undefined)[] = new Array<TimerEntry | undefined>(SLOTS * RINGS).fill(undefined)
  readonly #last: (TimerEntry | undefined)[] = new Array<TimerEntry | undefined>(SLOTS * RINGS).fill(undefined)
  /** Of those in no ring yet the latest, before which the earlier ones come. */
  #freshest: TimerEntry | undefined = undefined
  readonly #onTimer = (): void => this.#expireDue()
  #size = 0
  #originMs = 0
  /** The millisecond, from the origin, up to which everything has expired; nothing that waits is due before it. */
  #reachedMs = 0
  #timer: TimerHandle
  #armedForMs = NOT_ARMED
  /** Whether the timer is set for so late that an empty wheel mustn't leave it. */
  #isFar = false

  constructor(clock: Clock) {
    this.#clock = clock
    // A test's clock shows each timer: there, none is left.
    this.#mayLinger = clock === systemClock
  }

  /** How many wait. */
  get size(): number {
    return this.#size
  }

  /** @param nowMs the clock's monotonic time */
  add(entry: TimerEntry, dueAtMs: number, nowMs: number): void {
    entry.dueAtMs = dueAtMs
    if (this.#size === 0) {
      this.#originMs = Math.floor(nowMs)
      this.#reachedMs = 0
    }
    this.#size += 1
    this.#putOnTop(entry)
    if (dueAtMs < this.#armedForMs) this.#armFor(dueAtMs, nowMs)
  }

  /** Takes an entry out; nothing happens when it isn't in. */
  remove(entry: TimerEntry): void {
    if (entry.slot < 0) {
      entry.slot = -1
      return
    }
    this.#size -= 1
    if (entry.slot === FRESH) this.#takeOffTop(entry)
    else this.#unlink(entry)
    if (this.#size === 0 && (this.#isFar || !this.#mayLinger)) this.#disarm()
  }

  /** One link in and out, where a slot has two: of all that a call does with the wheel this is the most. */
  #putOnTop(entry: TimerEntry): void {
    const below = this.#freshest
    entry.slot = FRESH
    entry.next = undefined
    entry.previous = below
    if (below !== undefined) below.next = entry
    this.#freshest = entry
  }

  #takeOffTop(entry: TimerEntry): void {
    const { previous, next } = entry
    if (next === undefined) this.#freshest = previous
    else next.previous = previous
    if (previous !== undefined) previous.next = next
    entry.slot = -1
    entry.previous = undefined
    entry.next = undefined
  }

  /** The earliest first, for that is the order of those that are due at the same time. */
  #placeFresh(): void {
    let entry = this.#freshest
    this.#freshest = undefined
    while (entry?.previous !== undefined) entry = entry.previous
    while (entry !== undefined) {
      const { next } = entry
      this.#place(entry)
      entry = next
    }
  }

  /** Into the ring in whose turn the entry's time lies together with the time reached: told by the highest bit in which they differ. */
  #place(entry: TimerEntry): void {
    const due = Math.max(Math.min(Math.floor(entry.dueAtMs - this.#originMs), FARTHEST_MS), this.#reachedMs)
    const ring = ((31 - Math.clz32(due ^ this.#reachedMs)) / SLOT_BITS) | 0
    this.#append(entry, ring * SLOTS + ((due >> (ring * SLOT_BITS)) & (SLOTS - 1)))
  }

  #append(entry: TimerEntry, slot: number): void {
    const last = this.#last[slot]
    entry.slot = slot
    entry.previous = last
    entry.next = undefined
    if (last === undefined) this.#first[slot] = entry
    else last.next = entry
    this.#last[slot] = entry
  }

  #unlink(entry: TimerEntry): void {
    const { slot, previous, next } = entry
    if (previous === undefined) this.#first[slot] = next
    else previous.next = next
    if (next === undefined) this.#last[slot] = previous
    else next.previous = previous
    entry.slot = -1
    entry.previous = undefined
    entry.next = undefined
  }

  #expireDue(): void {
    this.#armedForMs = NOT_ARMED
    const nowMs = this.#clock.monotonic()
    // What expires may put in something that is due at once: it waits for the timer, so that nothing starves.
    for (const entry of this.#takeDue(nowMs)) {
      // Those taken out by one that expired before them are no longer due.
      if (entry.slot !== TAKEN) continue
      entry.slot = -1
      entry.expire()
    }
    if (this.#size > 0) this.#armAgain()
  }

  /** Takes what is due out, in the order in which it is due, and moves on to now. */
  #takeDue(nowMs: number): TimerEntry[] {
    const due: TimerEntry[] = []
    const reachableMs = Math.floor(nowMs - this.#originMs)
    this.#placeFresh()
    for (let slot = this.#earliestSlot(); slot >= 0; slot = this.#earliestSlot()) {
      const startMs = this.#startOf(slot)
      if (startMs > reachableMs) break
      if (slot >= SLOTS) {
        this.#reachedMs = Math.max(this.#reachedMs, startMs)
        this.#spread(slot)
        continue
      }
      if (!this.#takeFrom(slot, nowMs, due)) break
    }
    this.#reachedMs = Math.max(this.#reachedMs, Math.min(reachableMs, FARTHEST_MS))
    if (this.#reachedMs > MOVE_ORIGIN_AFTER_MS) this.#moveOrigin(nowMs)
    // Stable: of those due at the same time the one put in first comes first.
    return due.sort((one, other) => one.dueAtMs - other.dueAtMs)
  }

  /** A slot of a wide ring goes to the finer ones when its time has come. */
  #spread(slot: number): void {
    let entry = this.#first[slot]
    this.#first[slot] = undefined
    this.#last[slot] = undefined
    while (entry !== undefined) {
      const { next } = entry
      this.#place(entry)
      entry = next
    }
  }

  #moveOrigin(nowMs: number): void {
    const waiting: TimerEntry[] = []
    for (let slot = 0; slot < this.#first.length; slot++) {
      for (let entry = this.#first[slot]; entry !== undefined; entry = entry.next) waiting.push(entry)
      this.#first[slot] = undefined
      this.#last[slot] = undefined
    }
    this.#originMs = Math.floor(nowMs)
    this.#reachedMs = 0
    for (const entry of waiting) this.#place(entry)
  }

  /** Whether the slot is empty now: nothing in it is due later in its millisecond. */
  #takeFrom(slot: number, nowMs: number, due: TimerEntry[]): boolean {
    let entry = this.#first[slot]
    while (entry !== undefined) {
      const { next } = entry
      if (entry.dueAtMs <= nowMs) {
        this.#unlink(entry)
        entry.slot = TAKEN
        this.#size -= 1
        due.push(entry)
      }
      entry = next
    }
    return this.#first[slot] === undefined
  }

  /** Everything in a finer ring is due before everything in a wider one. */
  #earliestSlot(): number {
    for (let ring = 0; ring < RINGS; ring++) {
      for (let index = (this.#reachedMs >> (ring * SLOT_BITS)) & (SLOTS - 1); index < SLOTS; index++) {
        if (this.#first[ring * SLOTS + index] !== undefined) return ring * SLOTS + index
      }
    }
    return -1
  }

  /** When the time of an occupied slot begins, from the origin. */
  #startOf(slot: number): number {
    const bits = Math.floor(slot / SLOTS) * SLOT_BITS
    const turn = Math.floor(this.#reachedMs / 2 ** (bits + SLOT_BITS))
    return (turn * SLOTS + (slot % SLOTS)) * 2 ** bits
  }

  #armAgain(): void {
    const earliest = this.#earliestSlot()
    let dueAtMs = Infinity
    for (let entry = this.#first[earliest]; entry !== undefined; entry = entry.next) dueAtMs = Math.min(dueAtMs, entry.dueAtMs)
    if (dueAtMs < this.#armedForMs) this.#armFor(dueAtMs, this.#clock.monotonic(), true)
  }

  #armFor(dueAtMs: number, nowMs: number, mayBeFar = false): void {
    if (this.#armedForMs !== NOT_ARMED) this.#clock.clearTimeout(this.#timer)
    const delayMs = Math.max(0, dueAtMs - nowMs)
    const isFar = delayMs > LINGER_MS
    // The first one of an empty wheel mostly is gone before it is due: look again soon instead of clearing a far timer each time.
    const shortened = isFar && this.#mayLinger && !mayBeFar
    this.#isFar = isFar && !shortened
    this.#armedForMs = shortened ? nowMs + LINGER_MS : dueAtMs
    // The machine's timers cut fractions off and would come too early.
    const waitMs = shortened ? LINGER_MS : this.#mayLinger ? Math.ceil(delayMs) : delayMs
    this.#timer = this.#clock.setTimeout(this.#onTimer, waitMs)
  }

  #disarm(): void {
    if (this.#armedForMs === NOT_ARMED) return
    this.#clock.clearTimeout(this.#timer)
    this.#armedForMs = NOT_ARMED
  }
}

const wheels = new WeakMap<Clock, TimerWheel>()

/** The wheel of a clock; all policies on it share one. */
export function wheelOf(clock: Clock): TimerWheel {
  let wheel = wheels.get(clock)
  if (wheel === undefined) {
    wheel = new TimerWheel(clock)
    wheels.set(clock, wheel)
  }
  return wheel
}
