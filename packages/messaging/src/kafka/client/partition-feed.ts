import type { FetchedPartition } from '../kafka-api.ts'
import { ownCopy } from '../own-memory.ts'
import { decodeRecords } from '../protocol/records/decode-records.ts'
import type { DecodedRecords } from '../protocol/records/decoded-records.ts'
import { RecordSlice } from './record-slice.ts'

/** How many fetches a feed holds: one that is handed out, and one ahead of it. */
const MOST_CHUNKS = 2

/** One fetch, and where it begins. */
export interface Fetching {
  readonly from: bigint
}

interface Chunk {
  readonly records: DecodedRecords
  readonly bytes: number
  /** How many of them were handed out. */
  handedOut: number
}

/** The records of one partition between the broker and who reads them: what was fetched and not yet handed out. */
export class PartitionFeed {
  readonly topic: { readonly name: string; readonly id: string }
  readonly partition: number
  readonly #chunks: Chunk[] = []
  /** Where the next record that is handed out is looked for. */
  #position: bigint
  /** Where the next fetch begins. */
  #fetchOffset: bigint
  #failure: unknown
  #isAskedFor = false
  #fetching: Fetching | null = null
  #isClosed = false
  #wake: (() => void) | null = null

  constructor(topic: { readonly name: string; readonly id: string }, partition: number, position: bigint) {
    this.topic = topic
    this.partition = partition
    this.#position = position
    this.#fetchOffset = position
  }

  get position(): bigint {
    return this.#position
  }

  get fetchOffset(): bigint {
    return this.#fetchOffset
  }

  /** Whether it belongs into the next fetch of its broker. */
  get isHungry(): boolean {
    return this.#isAskedFor && this.#fetching === null && !this.#isClosed && this.#failure === undefined && this.#chunks.length < MOST_CHUNKS
  }

  /** Bytes of records that were fetched and not wholly handed out. */
  get heldBytes(): number {
    return this.#chunks.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Somebody reads: from now on there is always a fetch ahead. */
  askFor(): void {
    this.#isAskedFor = true
  }

  /** Reading goes on elsewhere. What is fetched, or under way, is of the old place. */
  moveTo(offset: bigint): void {
    this.#chunks.length = 0
    this.#failure = undefined
    this.#fetching = null
    this.#position = offset
    this.#fetchOffset = offset
  }

  /** As many records as the bounds allow, and one at least; null when there are none here. */
  take(maxBytes: number, maxRecords: number): RecordSlice | null {
    const [chunk] = this.#chunks
    if (chunk === undefined) return null
    const slice = RecordSlice.fitting(this.topic.name, this.partition, chunk.records, { from: chunk.handedOut, maxBytes, maxRecords })
    chunk.handedOut += slice.length
    this.#position = slice.nextOffset
    if (chunk.handedOut >= chunk.records.length) this.#chunks.shift()
    // What came behind it may have been the ends of transactions alone.
    if (this.#chunks.length === 0) this.#position = this.#fetchOffset
    return slice
  }

  /** Why nothing will come from here, if so. Who then seeks elsewhere can go on. */
  get failure(): unknown {
    return this.#failure
  }

  /** A fetch from here is on its way, until it is told to be over. */
  beginFetch(): Fetching {
    this.#fetching = { from: this.#fetchOffset }
    return this.#fetching
  }

  /** The fetch is over, whatever it brought. */
  endFetch(fetching: Fetching): void {
    if (this.#fetching === fetching) this.#fetching = null
  }

  /**
   * Takes what a fetch from an offset brought; nothing, when reading has moved elsewhere meanwhile.
   * @param isOwn whether the memory of the records is this feed's from now on; else it takes a copy
   */
  accept(fetched: FetchedPartition, from: bigint, isOwn: boolean): void {
    if (this.#isClosed || from !== this.#fetchOffset || fetched.records.length === 0) return
    try {
      const records = decodeRecords({ ...fetched, records: isOwn ? fetched.records : ownCopy(fetched.records), topic: this.topic.name, fetchOffset: from })
      this.#fetchOffset = records.nextOffset
      // Control records and what transactions took back are passed over: the position moves, and nothing is handed out.
      if (records.length > 0) this.#chunks.push({ records, bytes: fetched.records.length, handedOut: 0 })
      else if (this.#chunks.length === 0) this.#position = records.nextOffset
    } catch (error) {
      this.#failure = error
    }
    this.wake()
  }

  /** Nothing more comes from here until somebody seeks. */
  fail(error: unknown, from: bigint): void {
    if (from !== this.#fetchOffset) return
    this.#failure = error
    this.wake()
  }

  close(): void {
    this.#isClosed = true
    this.#chunks.length = 0
    this.wake()
  }

  /** Calls back once, when something has changed. One listener at a time. */
  onChange(wake: () => void): void {
    this.#wake = wake
  }

  wake(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
