import { FRAME_HEADER_BYTES, FRAME_MAGIC, type FrameHeader, isBodyIntact, MAX_FRAME_BODY_BYTES, readFrameHeader } from './frame.ts'
import { SparseIndex } from './sparse-index.ts'

const WINDOW_BYTES = 1024 * 1024
const SECTOR_BYTES = 512

/** Fills the target from a position of a file on, as far as the file goes; answers how far. */
export type RangeReader = (position: number, target: Buffer) => Promise<number>

/** What is to be scanned. */
export interface ScanOptions {
  /** Reads from the segment, wherever it is kept. @default none, required */
  readonly read: RangeReader
  /** Where the first frame begins, in bytes from the beginning. @default none, required */
  readonly from: number
  /** Bytes of the segment in all; the scan goes up to there. @default none, required */
  readonly fileBytes: number
  /** Offset that the first record must have. @default none, required */
  readonly baseOffset: number
  /** Seed of the checksums of this segment. @default none, required */
  readonly salt: number
}

/** What a scan found. */
export interface ScanResult {
  readonly index: SparseIndex
  readonly endOffset: number
  readonly maxTimestamp: number
  /** Where the last intact frame ends. */
  readonly validBytes: number
  /**
   * What comes after: nothing; a frame that was being written when the machine or the process stopped, and was never
   * acknowledged; or something that had been written whole and is no longer as it was.
   */
  readonly tail: 'clean' | 'torn' | 'corrupt'
}

/** Walks a segment frame by frame, checksums included, without looking into the records. */
export async function scanSegment(options: ScanOptions): Promise<ScanResult> {
  const { fileBytes, salt } = options
  const window = new ScanWindow(options)
  const index = new SparseIndex()
  let position = options.from
  let endOffset = options.baseOffset
  let maxTimestamp = 0

  while (position < fileBytes) {
    const header = await window.intactFrameAt(position, salt)
    if (header === null || header.baseOffset !== endOffset) break
    index.add(header.baseOffset, position)
    endOffset += header.records
    maxTimestamp = Math.max(maxTimestamp, header.maxTimestamp)
    position += FRAME_HEADER_BYTES + header.bodyBytes
  }

  const tail = position === fileBytes ? 'clean' : await judgeTail(options, window, position)
  return { index, endOffset, maxTimestamp, validBytes: position, tail }
}

/**
 * One frame is written at a time and acknowledged before the next begins. So a torn write is the last thing in the file, and
 * short, or has sectors that never reached the disk. Anything else was acknowledged once and must not be dropped in silence.
 */
async function judgeTail(options: ScanOptions, window: ScanWindow, position: number): Promise<'torn' | 'corrupt'> {
  if (await hasIntactFrameAfter(options, position)) return 'corrupt'
  if (await hasEmptySector(options, position)) return 'torn'
  const bytesLeft = options.fileBytes - position
  if (bytesLeft < FRAME_HEADER_BYTES) return 'torn'
  const header = await window.headerAt(position, options.salt)
  return header !== null && bytesLeft < FRAME_HEADER_BYTES + header.bodyBytes ? 'torn' : 'corrupt'
}

async function hasIntactFrameAfter(options: ScanOptions, damagedAt: number): Promise<boolean> {
  const window = new ScanWindow(options)
  const target = Buffer.allocUnsafeSlow(WINDOW_BYTES + FRAME_MAGIC.length - 1)
  for (let from = damagedAt + 1; from < options.fileBytes; from += WINDOW_BYTES) {
    const bytes = target.subarray(0, await options.read(from, target))
    for (let found = bytes.indexOf(FRAME_MAGIC); found >= 0; found = bytes.indexOf(FRAME_MAGIC, found + 1)) {
      if ((await window.intactFrameAt(from + found, options.salt)) !== null) return true
    }
  }
  return false
}

async function hasEmptySector(options: ScanOptions, damagedAt: number): Promise<boolean> {
  const first = Math.ceil(damagedAt / SECTOR_BYTES) * SECTOR_BYTES
  const empty = Buffer.alloc(SECTOR_BYTES)
  const target = Buffer.allocUnsafeSlow(WINDOW_BYTES)
  for (let from = first; from < options.fileBytes; from += WINDOW_BYTES) {
    const bytes = target.subarray(0, await options.read(from, target))
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      const sector = bytes.subarray(at, at + SECTOR_BYTES)
      if (sector.equals(empty.subarray(0, sector.length))) return true
    }
  }
  return false
}

/** The part of a file that was read last; large enough for any one frame. */
class ScanWindow {
  readonly #options: ScanOptions
  #target = Buffer.allocUnsafeSlow(WINDOW_BYTES)
  #bytes = this.#target.subarray(0, 0)
  #start = 0

  constructor(options: ScanOptions) {
    this.#options = options
  }

  async headerAt(position: number, salt: number): Promise<FrameHeader | null> {
    await this.#cover(position, FRAME_HEADER_BYTES)
    return readFrameHeader(this.#bytes, position - this.#start, salt)
  }

  async intactFrameAt(position: number, salt: number): Promise<FrameHeader | null> {
    const header = await this.headerAt(position, salt)
    if (header === null || position + FRAME_HEADER_BYTES + header.bodyBytes > this.#options.fileBytes) return null
    await this.#cover(position, FRAME_HEADER_BYTES + Math.min(header.bodyBytes, MAX_FRAME_BODY_BYTES))
    return isBodyIntact(this.#bytes, position - this.#start, header, salt) ? header : null
  }

  async #cover(position: number, length: number): Promise<void> {
    if (position >= this.#start && position + length <= this.#start + this.#bytes.length) return
    if (length > this.#target.length) this.#target = Buffer.allocUnsafeSlow(length)
    this.#bytes = this.#target.subarray(0, await this.#options.read(position, this.#target))
    this.#start = position
  }
}
