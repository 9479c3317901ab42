import type { MessagingTransport, RecordBatch } from '@smart-whale/messaging'

/** Header of every sample message: the index of its row. Messages without it were sent by somebody else. */
export const SAMPLE_HEADER = 'smartwhale-sample-row'

/** A set of small whole numbers, one bit each: three million take 375 kB. */
export class IdSet {
  #bits = new Uint8Array(1024)
  #size = 0

  /** A set of the ids whose bits are set; its size is not known. */
  static of(bits: Uint8Array): IdSet {
    const ids = new IdSet()
    ids.#bits = Uint8Array.from(bits)
    return ids
  }

  get size(): number {
    return this.#size
  }

  /** The set itself, a bit an id, the lowest first. */
  get bits(): Uint8Array {
    return this.#bits
  }

  has(id: number): boolean {
    return ((this.#bits[id >> 3] ?? 0) & (1 << (id & 7))) !== 0
  }

  add(id: number): void {
    if (this.has(id)) return
    if (id >> 3 >= this.#bits.length) {
      const grown = new Uint8Array(Math.max(this.#bits.length * 2, (id >> 3) + 1))
      grown.set(this.#bits)
      this.#bits = grown
    }
    this.#bits[id >> 3] = (this.#bits[id >> 3] ?? 0) | (1 << (id & 7))
    this.#size++
  }
}

/**
 * Which rows of the sample a topic already has. The topic itself is the only witness that is right after any crash:
 * a note kept beside it could be older or newer than what the broker stored.
 */
export async function sentIds(transport: MessagingTransport, topic: string, signal: AbortSignal): Promise<IdSet> {
  const ids = new IdSet()
  const description = await transport.topics.describe(topic, { signal })
  for (let partition = 0; partition < (description?.partitions ?? 0); partition++) await collectIds(transport, topic, partition, ids, signal)
  return ids
}

async function collectIds(transport: MessagingTransport, topic: string, partition: number, ids: IdSet, signal: AbortSignal): Promise<void> {
  const reader = await transport.openPartition(topic, partition, { signal })
  try {
    const { latest } = await reader.bounds({ signal })
    for (let next = 0n; next < latest; ) {
      const batch = await reader.read({ maxBytes: 4 * 1024 * 1024, maxRecords: 50_000, maxWaitMs: 1000, signal })
      if (batch.length === 0) break
      addIds(batch, ids)
      next = batch.nextOffset
    }
  } finally {
    await reader.close()
  }
}

function addIds(batch: RecordBatch, ids: IdSet): void {
  for (let index = 0; index < batch.length; index++) {
    const row = batch.headersAt(index)[SAMPLE_HEADER]
    if (row !== undefined) ids.add(Number(Buffer.from(row).toString('latin1')))
  }
}
