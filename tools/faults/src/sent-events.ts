const ACKNOWLEDGED = 1
const UNKNOWN = 2
const REFUSED = 3

/** What became of each event at its producer, by the event's number. */
export class SentEvents {
  #states: Uint8Array
  #acknowledged = 0
  #unknown = 0

  constructor(capacity = 1 << 16) {
    this.#states = new Uint8Array(capacity)
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  get unknown(): number {
    return this.#unknown
  }

  /** The broker has it. */
  acknowledge(sequence: number): void {
    this.#set(sequence, ACKNOWLEDGED)
    this.#acknowledged++
  }

  /** The broker may have it. */
  leaveOpen(sequence: number): void {
    this.#set(sequence, UNKNOWN)
    this.#unknown++
  }

  /** The broker doesn't have it. */
  refuse(sequence: number): void {
    this.#set(sequence, REFUSED)
  }

  wasAcknowledged(sequence: number): boolean {
    return this.#states[sequence] === ACKNOWLEDGED
  }

  mayBeThere(sequence: number): boolean {
    const state = this.#states[sequence]
    return state === ACKNOWLEDGED || state === UNKNOWN
  }

  /** Numbers that were acknowledged, ascending. */
  *acknowledgedOnes(): Iterable<number> {
    for (let sequence = 0; sequence < this.#states.length; sequence++) if (this.#states[sequence] === ACKNOWLEDGED) yield sequence
  }

  /** Numbers that were sent and came to an end, in whichever way, ascending. */
  *knownOnes(): Iterable<number> {
    for (let sequence = 0; sequence < this.#states.length; sequence++) if (this.#states[sequence] !== 0) yield sequence
  }

  #set(sequence: number, state: number): void {
    if (sequence >= this.#states.length) {
      const larger = new Uint8Array(Math.max(sequence + 1, this.#states.length * 2))
      larger.set(this.#states)
      this.#states = larger
    }
    this.#states[sequence] = state
  }
}
