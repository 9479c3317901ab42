import { DEAD_LETTER_HEADERS, deadLetterTopic } from '../../dead-letter.ts'
import type { MessagingTransport, PartitionReader, RecordBatch } from '../../transport.ts'
import { pipelineGroup } from '../pipeline-group.ts'
import type { PipelineDefinition } from '../pipeline-definition.ts'
import { readRange } from './read-range.ts'

/** Which records of a topic are in its dead letters: eight bytes a letter, however large the letters are. */
export interface LetterIndex {
  /** How many letters there are of each offset of a range, both ends included; offsets without one are absent. */
  within(partition: number, firstOffset: bigint, lastOffset: bigint): ReadonlyMap<bigint, number>
  /** Partitions that there are letters of. */
  readonly partitions: readonly number[]
  /** Whether retention has removed letters: that one is missing then says nothing. */
  readonly isCut: boolean
}

/** Reads all dead letters of a topic that a pipeline sent; letters of other consumers of the topic are passed over. */
export async function readLetterIndex(transport: MessagingTransport, { topic, name: pipeline }: Pick<PipelineDefinition, 'topic' | 'name'>, signal: AbortSignal | undefined): Promise<LetterIndex> {
  const letters = deadLetterTopic(topic)
  const described = await transport.topics.describe(letters, { signal })
  const origins = new Map<number, OffsetList>()
  let isCut = false
  for (let partition = 0; partition < (described?.partitions ?? 0); partition++) {
    const reader = await transport.openPartition(letters, partition, { signal })
    try {
      isCut = (await readLetters(reader, { topic, groupId: pipelineGroup(pipeline) }, origins, signal)) || isCut
    } finally {
      await reader.close()
    }
  }
  for (const list of origins.values()) list.sort()
  return { partitions: [...origins.keys()].sort((a, b) => a - b), isCut, within: (partition, first, last) => origins.get(partition)?.within(first, last) ?? new Map<bigint, number>() }
}

async function readLetters(reader: PartitionReader, source: { topic: string; groupId: string }, origins: Map<number, OffsetList>, signal: AbortSignal | undefined): Promise<boolean> {
  const { earliest, latest } = await reader.bounds({ signal })
  for await (const batch of readRange(reader, earliest, latest, signal)) {
    for (let index = 0; index < batch.length; index++) {
      const origin = originOf(batch, index, source)
      if (origin === null) continue
      const list = origins.get(origin.partition) ?? new OffsetList()
      origins.set(origin.partition, list)
      list.add(origin.offset)
    }
  }
  return earliest > 0n
}

/** Null for a letter of another group or topic, and for what is no letter at all. */
function originOf(batch: RecordBatch, index: number, source: { topic: string; groupId: string }): { partition: number; offset: bigint } | null {
  const headers = batch.headersAt(index)
  const text = (name: string): string | null => {
    const bytes = Object.hasOwn(headers, name) ? headers[name] : undefined
    return bytes === undefined ? null : Buffer.from(bytes).toString('utf8')
  }
  if (text(DEAD_LETTER_HEADERS.topic) !== source.topic || (text(DEAD_LETTER_HEADERS.group) ?? source.groupId) !== source.groupId) return null
  const partition = text(DEAD_LETTER_HEADERS.partition) ?? ''
  const offset = text(DEAD_LETTER_HEADERS.offset) ?? ''
  if (!/^\d{1,10}$/.test(partition) || !/^\d{1,18}$/.test(offset)) return null
  return { partition: Number(partition), offset: BigInt(offset) }
}

/** Offsets as plain 64-bit numbers. */
class OffsetList {
  #offsets = new BigInt64Array(256)
  #length = 0

  add(offset: bigint): void {
    if (this.#length === this.#offsets.length) {
      const grown = new BigInt64Array(this.#length * 2)
      grown.set(this.#offsets)
      this.#offsets = grown
    }
    this.#offsets[this.#length++] = offset
  }

  sort(): void {
    this.#offsets = this.#offsets.slice(0, this.#length).sort()
  }

  within(first: bigint, last: bigint): Map<bigint, number> {
    const counts = new Map<bigint, number>()
    for (let at = this.#lowerBound(first); at < this.#length; at++) {
      const offset = this.#offsets[at] as bigint
      if (offset > last) break
      counts.set(offset, (counts.get(offset) ?? 0) + 1)
    }
    return counts
  }

  #lowerBound(wanted: bigint): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#offsets[middle] as bigint) < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}
