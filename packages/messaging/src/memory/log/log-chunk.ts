import { FRAME_HEADER_BYTES, type FrameHeader, isBodyIntact, readFrameHeader } from './frame.ts'
import { recordEnd } from './record-layout.ts'

/** Records with successive offsets in one buffer. */
export interface LogChunk {
  readonly buffer: Buffer
  readonly firstOffset: number
  /** Where each record begins in the buffer. */
  readonly starts: Uint32Array
}

/** Bytes that were read from a segment, beginning with a frame. */
export interface ReadBytes {
  readonly buffer: Buffer
  readonly salt: number
  /** Whether checksums must be looked at. */
  readonly verify: boolean
}

/** What a stretch of bytes has of the records from an offset on. */
export interface CollectedRecords {
  /** Null when the bytes end before the offset, or within the frame that has it. */
  readonly chunk: LogChunk | null
  /** Whole frames that were gone through. */
  readonly consumedBytes: number
  /** How many bytes the frame after those needs, when the buffer has only a part of it; 0 when it isn't known. */
  readonly wantedBytes: number
  /** Whether the frame after those is damaged. */
  readonly isDamaged: boolean
}

interface FoundFrame {
  readonly at: number
  readonly header: FrameHeader
}

/** Finds the records from `offset` on, frame by frame, up to the last frame that is whole. */
export function collectRecords(read: ReadBytes, offset: number): CollectedRecords {
  const { buffer, salt, verify } = read
  const frames: FoundFrame[] = []
  let at = 0
  let wantedBytes = 0
  let isDamaged = false
  while (at + FRAME_HEADER_BYTES <= buffer.length) {
    const header = readFrameHeader(buffer, at, salt, verify)
    if (header === null) {
      isDamaged = true
      break
    }
    const frameBytes = FRAME_HEADER_BYTES + header.bodyBytes
    if (at + frameBytes > buffer.length) {
      wantedBytes = frameBytes
      break
    }
    if (header.baseOffset + header.records > offset) {
      isDamaged = verify && !isBodyIntact(buffer, at, header, salt)
      if (isDamaged) break
      frames.push({ at, header })
    }
    at += frameBytes
  }
  return { chunk: chunkOf(buffer, frames, offset), consumedBytes: at, wantedBytes, isDamaged }
}

function chunkOf(buffer: Buffer, frames: readonly FoundFrame[], offset: number): LogChunk | null {
  const first = frames[0]
  if (first === undefined) return null
  const skipped = Math.max(0, offset - first.header.baseOffset)
  const starts = new Uint32Array(frames.reduce((sum, frame) => sum + frame.header.records, -skipped))
  let found = -skipped
  for (const { at, header } of frames) {
    let start = at + FRAME_HEADER_BYTES
    for (let record = 0; record < header.records; record++) {
      if (found >= 0) starts[found] = start
      found++
      start = recordEnd(buffer, start)
    }
  }
  return { buffer, firstOffset: first.header.baseOffset + skipped, starts }
}
