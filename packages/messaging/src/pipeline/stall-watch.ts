import type { PartitionLag } from '../transport.ts'

/** A partition whose lag grows while it stands still. */
export interface StalledPartition {
  readonly partition: number
  /** First offset that is not done, as long as it stands still. */
  readonly offset: bigint
  readonly lag: bigint
  readonly standsForMs: number
}

interface Watched {
  readonly offset: bigint
  readonly since: number
  /** Lag when it was first seen to stand there. */
  readonly lagThen: bigint
  readonly lagNow: bigint
}

/**
 * Tells which partitions are stuck: something new keeps coming, and the position has not moved for a while. One that is idle is not, nor one of
 * which only transactions were taken back; and one that moves is not either, however far it is behind.
 */
export class StallWatch {
  readonly #stallMs: number
  readonly #watched = new Map<number, Watched>()

  constructor(stallMs: number) {
    this.#stallMs = stallMs
  }

  /** Takes note of where the partitions stand that this worker has; others are forgotten. */
  look(partitions: readonly PartitionLag[], nowMs: number): void {
    const there = new Set(partitions.map(({ partition }) => partition))
    for (const partition of this.#watched.keys()) if (!there.has(partition)) this.#watched.delete(partition)
    for (const { partition, committed, lag } of partitions) {
      const offset = committed ?? 0n
      const before = this.#watched.get(partition)
      const hasMoved = before === undefined || before.offset !== offset || lag === 0n
      this.#watched.set(partition, hasMoved ? { offset, since: nowMs, lagThen: lag, lagNow: lag } : { ...before, lagNow: lag })
    }
  }

  stalled(nowMs: number): readonly StalledPartition[] {
    return [...this.#watched]
      .filter(([, { since, lagThen, lagNow }]) => nowMs - since >= this.#stallMs && lagNow > lagThen)
      .map(([partition, { offset, since, lagNow }]) => ({ partition, offset, lag: lagNow, standsForMs: nowMs - since }))
  }
}
