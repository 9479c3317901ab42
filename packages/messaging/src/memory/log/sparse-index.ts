import { crc32 } from 'node:zlib'

/** Log bytes between two entries: a lookup reads at most about this much too much. */
const BYTES_PER_ENTRY = 64 * 1024

const MAGIC = Buffer.from('SWIDXv1\n', 'latin1')
const FIXED_BYTES = 40

/** What is known of a sealed segment without reading it. */
export interface SegmentSummary {
  readonly index: SparseIndex
  readonly endOffset: number
  readonly maxTimestamp: number
  readonly bytes: number
}

/** Which frame to begin at to find an offset: one entry for every 64 KiB or so of a segment. */
export class SparseIndex {
  readonly #offsets: number[] = []
  readonly #positions: number[] = []

  /** Frames are added in order. */
  add(baseOffset: number, position: number): void {
    const last = this.#positions.at(-1)
    if (last !== undefined && position - last < BYTES_PER_ENTRY) return
    this.#offsets.push(baseOffset)
    this.#positions.push(position)
  }

  /** Where the last indexed frame at or before the offset begins; undefined when the index is empty. */
  positionFor(offset: number): number | undefined {
    let low = 0
    let high = this.#offsets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#offsets[middle] ?? Infinity) <= offset) low = middle + 1
      else high = middle
    }
    return this.#positions[Math.max(0, low - 1)]
  }

  get entries(): number {
    return this.#offsets.length
  }

  /** The index of a sealed segment as a file's bytes. */
  encode(endOffset: number, maxTimestamp: number, segmentBytes: number): Buffer {
    const bytes = Buffer.alloc(FIXED_BYTES + this.entries * 16)
    MAGIC.copy(bytes)
    bytes.writeUInt32LE(this.entries, 12)
    bytes.writeDoubleLE(endOffset, 16)
    bytes.writeDoubleLE(maxTimestamp, 24)
    bytes.writeDoubleLE(segmentBytes, 32)
    this.#offsets.forEach((offset, entry) => {
      bytes.writeDoubleLE(offset, FIXED_BYTES + entry * 16)
      bytes.writeDoubleLE(this.#positions[entry] ?? 0, FIXED_BYTES + entry * 16 + 8)
    })
    bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8)
    return bytes
  }

  /** Null when the bytes aren't an intact index; it is then made again from the segment. */
  static decode(bytes: Buffer): SegmentSummary | null {
    if (bytes.length < FIXED_BYTES || !bytes.subarray(0, 8).equals(MAGIC) || bytes.readUInt32LE(8) !== crc32(bytes.subarray(12))) return null
    const entries = bytes.readUInt32LE(12)
    if (bytes.length !== FIXED_BYTES + entries * 16) return null
    const index = new SparseIndex()
    for (let at = FIXED_BYTES; at < bytes.length; at += 16) {
      index.#offsets.push(bytes.readDoubleLE(at))
      index.#positions.push(bytes.readDoubleLE(at + 8))
    }
    return { index, endOffset: bytes.readDoubleLE(16), maxTimestamp: bytes.readDoubleLE(24), bytes: bytes.readDoubleLE(32) }
  }
}
