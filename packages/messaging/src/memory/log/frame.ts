import { crc32 } from 'node:zlib'

// The unit of writing: records that became durable together. Header, little endian:
// u32 magic · u32 checksum of the header's rest · u32 checksum of the body · u32 body length · u32 records · u32 zero · f64 first offset · f64 newest timestamp.
// Checksums are seeded with the segment's salt, so that a frame inside somebody's message is never taken for one of the log's own.

/** Bytes of a frame's header. */
export const FRAME_HEADER_BYTES = 40

/** Beyond this a length field can only be damaged. */
export const MAX_FRAME_BODY_BYTES = 256 * 1024 * 1024

const MAGIC = 0x31465753
/** The first bytes of every frame. */
export const FRAME_MAGIC = Buffer.from([0x53, 0x57, 0x46, 0x31])

/** What a frame's header says. */
export interface FrameHeader {
  readonly bodyBytes: number
  readonly records: number
  readonly baseOffset: number
  readonly maxTimestamp: number
  readonly bodyChecksum: number
}

/** Encoded records that go into a frame. */
export interface FramePart {
  readonly body: Buffer
  readonly records: number
  readonly maxTimestamp: number
}

/** Puts records that were encoded apart into one frame. */
export function buildFrame(parts: readonly FramePart[], baseOffset: number, salt: number): Buffer {
  const bodyBytes = parts.reduce((sum, part) => sum + part.body.length, 0)
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + bodyBytes)
  let at = FRAME_HEADER_BYTES
  let records = 0
  let maxTimestamp = 0
  for (const part of parts) {
    frame.set(part.body, at)
    at += part.body.length
    records += part.records
    maxTimestamp = Math.max(maxTimestamp, part.maxTimestamp)
  }
  frame.writeUInt32LE(MAGIC, 0)
  frame.writeUInt32LE(crc32(frame.subarray(FRAME_HEADER_BYTES), salt), 8)
  frame.writeUInt32LE(bodyBytes, 12)
  frame.writeUInt32LE(records, 16)
  frame.writeUInt32LE(0, 20)
  frame.writeDoubleLE(baseOffset, 24)
  frame.writeDoubleLE(maxTimestamp, 32)
  frame.writeUInt32LE(headerChecksum(frame, 0, salt), 4)
  return frame
}

/** The header at a position, or null when there is none, or a damaged one. Memory needs no `verify`. */
export function readFrameHeader(buffer: Buffer, at: number, salt: number, verify = true): FrameHeader | null {
  if (at + FRAME_HEADER_BYTES > buffer.length || buffer.readUInt32LE(at) !== MAGIC) return null
  if (verify && buffer.readUInt32LE(at + 4) !== headerChecksum(buffer, at, salt)) return null
  const bodyBytes = buffer.readUInt32LE(at + 12)
  if (bodyBytes > MAX_FRAME_BODY_BYTES) return null
  return {
    bodyBytes,
    records: buffer.readUInt32LE(at + 16),
    baseOffset: buffer.readDoubleLE(at + 24),
    maxTimestamp: buffer.readDoubleLE(at + 32),
    bodyChecksum: buffer.readUInt32LE(at + 8),
  }
}

/** Whether the body after a header is as it was written. */
export function isBodyIntact(buffer: Buffer, at: number, header: FrameHeader, salt: number): boolean {
  const from = at + FRAME_HEADER_BYTES
  return from + header.bodyBytes <= buffer.length && crc32(buffer.subarray(from, from + header.bodyBytes), salt) === header.bodyChecksum
}

const headerChecksum = (buffer: Buffer, at: number, salt: number): number => crc32(buffer.subarray(at + 8, at + FRAME_HEADER_BYTES), salt)
