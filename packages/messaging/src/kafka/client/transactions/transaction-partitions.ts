import type { TopicPartition } from '../../kafka-api.ts'
import { orAborted } from '../../or-aborted.ts'

/** The partitions that a transaction writes to: each is made known to the coordinator once, before the first record. */
export class TransactionPartitions {
  readonly #tell: (partitions: readonly TopicPartition[]) => Promise<void>
  readonly #told = new Map<string, Promise<void>>()
  #queued: TopicPartition[] = []
  #telling: Promise<void> | null = null

  constructor(tell: (partitions: readonly TopicPartition[]) => Promise<void>) {
    this.#tell = tell
  }

  /** Resolves when the coordinator knows. Partitions that come at the same time are told together. */
  async add(partition: TopicPartition, signal: AbortSignal): Promise<void> {
    const key = `${partition.topic}/${partition.partition}`
    let told = this.#told.get(key)
    if (told === undefined) {
      told = this.#enqueue(partition)
      this.#told.set(key, told)
      // What failed is told again by whoever asks next.
      told.catch(() => this.#told.delete(key))
    }
    await orAborted(told, signal, `adding partition ${partition.partition} of topic "${partition.topic}" to a transaction`)
  }

  #enqueue(partition: TopicPartition): Promise<void> {
    this.#queued.push(partition)
    this.#telling ??= Promise.resolve().then(() => {
      const partitions = this.#queued
      this.#queued = []
      this.#telling = null
      return this.#tell(partitions)
    })
    return this.#telling
  }
}
