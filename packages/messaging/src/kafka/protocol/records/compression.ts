import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { damagedBlock } from './damaged-block.ts'
import { decompressLz4 } from './lz4.ts'
import { decompressSnappy } from './snappy.ts'

/** How batches may be compressed that we write. */
export type WritableCompression = 'none' | 'gzip' | 'zstd'

/** As the attributes of a batch name it. */
export const COMPRESSION_IDS: Readonly<Record<WritableCompression, number>> = { none: 0, gzip: 1, zstd: 4 }

/** How far the bytes are away that make the compressor better; more than this isn't worth its time at ingest. */
const GZIP_LEVEL = 3

/** Compresses the records of a batch. */
export function compress(compression: Exclude<WritableCompression, 'none'>, bytes: Uint8Array): Uint8Array {
  return compression === 'gzip' ? gzipSync(bytes, { level: GZIP_LEVEL }) : zstdCompressSync(bytes)
}

/**
 * The records of a compressed batch, as they were; throws when they are damaged or would take more than `maxBytes`.
 * Null for a compression that isn't known.
 */
export function decompress(id: number, bytes: Uint8Array, maxBytes: number): Uint8Array | null {
  switch (id) {
    case 0:
      return bytes
    case 1:
      return gunzipSync(bytes, { maxOutputLength: maxBytes })
    case 2:
      return decompressSnappy(bytes, maxBytes)
    case 3:
      return decompressLz4(bytes, maxBytes)
    case 4:
      return decompressZstd(bytes, maxBytes)
    default:
      return null
  }
}

/** What `info: true` gives. */
interface Decompressed {
  readonly buffer: Buffer
  readonly engine: { readonly bytesWritten: number }
}

/** Node reads one frame; writers may have made several of what they were given in pieces. */
function decompressZstd(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const frames: Buffer[] = []
  let length = 0
  for (let at = 0; at < bytes.length; ) {
    if (length >= maxBytes) throw damagedBlock(`decompresses to more than ${maxBytes} bytes`)
    const frame = zstdDecompressSync(bytes.subarray(at), { maxOutputLength: maxBytes - length, info: true }) as unknown as Decompressed
    if (frame.engine.bytesWritten === 0) throw damagedBlock("doesn't begin as zstd does")
    at += frame.engine.bytesWritten
    length += frame.buffer.length
    frames.push(frame.buffer)
  }
  return frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames)
}
