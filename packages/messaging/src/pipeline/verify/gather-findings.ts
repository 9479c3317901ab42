import type { FindingKind, FindingPlace, VerifyFinding } from './verify-report.ts'

/** Something wrong with one offset. */
export interface WrongOffset {
  readonly kind: FindingKind
  readonly place: FindingPlace
  readonly offset: bigint
  readonly detail?: string | null
}

/** Makes of wrong offsets, told in order, findings of neighbouring ones; a gap of a million is one finding. */
export class FindingGatherer {
  readonly #topic: string
  readonly #partition: number
  readonly #tell: (finding: VerifyFinding) => void
  readonly #open = new Map<string, VerifyFinding>()
  readonly #counts = new Map<FindingKind, number>()

  constructor(topic: string, partition: number, tell: (finding: VerifyFinding) => void) {
    this.#topic = topic
    this.#partition = partition
    this.#tell = tell
  }

  add({ kind, place, offset, detail = null }: WrongOffset): void {
    const key = `${kind} ${place} ${detail ?? ''}`
    const open = this.#open.get(key)
    this.#count(kind, 1)
    if (open !== undefined && open.lastOffset === offset - 1n) {
      this.#open.set(key, { ...open, lastOffset: offset, offsets: open.offsets + 1 })
      return
    }
    if (open !== undefined) this.#tell(open)
    this.#open.set(key, { kind, place, topic: this.#topic, partition: this.#partition, firstOffset: offset, lastOffset: offset, offsets: 1, detail })
  }

  /** A finding about a range as a whole, told at once. */
  addRange(kind: FindingKind, place: FindingPlace, range: { firstOffset: bigint; lastOffset: bigint }, offsets: number, detail: string | null = null): void {
    this.#count(kind, offsets)
    this.#tell({ kind, place, topic: this.#topic, partition: this.#partition, ...range, offsets, detail })
  }

  /** Tells what is still open; nothing that comes later can be next to it. */
  flush(): void {
    for (const finding of this.#open.values()) this.#tell(finding)
    this.#open.clear()
  }

  get counts(): ReadonlyMap<FindingKind, number> {
    return this.#counts
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }

  #count(kind: FindingKind, by: number): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + by)
  }
}
