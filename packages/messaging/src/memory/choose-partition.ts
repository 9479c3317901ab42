import type { OutgoingRecord } from '../transport.ts'
import { partitionOfKey } from './murmur2.ts'

/** Keyless records that go to one partition before it is the next one's turn; Kafka's batch size. */
const STICKY_BYTES = 16 * 1024

/** Gives each record of a topic its partition: the one it names, its key's, or for a keyless one the partition whose turn it is. */
export class PartitionChooser {
  readonly #partitions: number
  #current: number
  #bytesInCurrent = 0

  constructor(partitions: number) {
    this.#partitions = partitions
    this.#current = Math.floor(Math.random() * partitions)
  }

  /** Each send begins with the next partition, so that small sends are spread as well as large ones. */
  beginSend(): void {
    this.#turn()
  }

  choose(record: OutgoingRecord, bytes: number): number {
    if (record.partition !== undefined) return record.partition
    const { key } = record
    if (key !== null && key !== undefined) return partitionOfKey(typeof key === 'string' ? Buffer.from(key) : key, this.#partitions)
    if (this.#bytesInCurrent >= STICKY_BYTES) this.#turn()
    this.#bytesInCurrent += bytes
    return this.#current
  }

  #turn(): void {
    this.#current = (this.#current + 1) % this.#partitions
    this.#bytesInCurrent = 0
  }
}
