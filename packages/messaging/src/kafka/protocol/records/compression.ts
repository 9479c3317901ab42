import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
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
      return zstdDecompressSync(bytes, { maxOutputLength: maxBytes })
    default:
      return null
  }
}
