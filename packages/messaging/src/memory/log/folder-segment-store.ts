import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rm, truncate, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Logger } from '@smart-whale/interfaces'
import { messagingError } from '../../errors.ts'
import { onDisk } from '../../map-error.ts'
import { readFileIfThere, syncFolder, writeFileAtomically } from './atomic-file.ts'
import { type Durability, FileSegmentBytes } from './file-segment-bytes.ts'
import { scanSegment, type ScanResult } from './scan-segment.ts'
import { Segment } from './segment.ts'
import type { SegmentStore } from './segment-store.ts'
import { SparseIndex } from './sparse-index.ts'
import type { TailCache } from './tail-cache.ts'

// A segment's file begins with 8 bytes of magic, the salt of its checksums and a checksum of both.
const MAGIC = Buffer.from('SWLOGv1\n', 'latin1')
const PREAMBLE_BYTES = 16
const SEGMENT_NAME = /^(\d{20})\.log$/

/** Where and how a partition's segments are kept. */
export interface FolderSegmentStoreOptions {
  /** Folder of this partition alone; made with its first segment. @default none, required */
  readonly folder: string
  /** What has to happen to a write, of files and folders alike, before it is done. @default none, required */
  readonly durability: Durability
  /** Keeps what was appended last, for all partitions together. @default none, required */
  readonly cache: TailCache
  /** Warned of a torn write that was cut off at the end of the log. @default none, required */
  readonly logger: Logger
}

/** Segments as files `<first offset>.log`, each with a `.index` once it is sealed. */
export class FolderSegmentStore implements SegmentStore {
  readonly #options: FolderSegmentStoreOptions

  constructor(options: FolderSegmentStoreOptions) {
    this.#options = options
  }

  open(): Promise<Segment[]> {
    return onDisk(this.#options.folder, 'opening the log in', () => this.#openAll())
  }

  async #openAll(): Promise<Segment[]> {
    const offsets = await this.#baseOffsets()
    if (offsets.length === 0) throw this.#corrupt(this.#options.folder, 'it has no log file')
    const segments: Segment[] = []
    for (const [position, baseOffset] of offsets.entries()) {
      const isLast = position === offsets.length - 1
      const segment = isLast ? await this.#openActive(baseOffset) : await this.#openSealed(baseOffset)
      const before = segments.at(-1)
      if (before !== undefined && before.endOffset !== baseOffset) {
        throw this.#corrupt(this.#path(baseOffset), `it begins at offset ${baseOffset}, but the file before it ends at ${before.endOffset}`)
      }
      segments.push(segment)
    }
    return segments
  }

  create(baseOffset: number): Promise<Segment> {
    const { folder, durability } = this.#options
    return onDisk(this.#path(baseOffset), 'making the log file', async () => {
      await mkdir(folder, { recursive: true })
      const salt = await this.#writePreamble(baseOffset)
      if (durability === 'fsync') await syncFolder(folder)
      return this.#segment(baseOffset, PREAMBLE_BYTES, salt)
    })
  }

  seal(segment: Segment): Promise<void> {
    const path = this.#indexPath(segment.baseOffset)
    return onDisk(path, 'writing', () => writeFileAtomically(path, segment.encodeIndex(), this.#options.durability))
  }

  remove(segment: Segment): Promise<void> {
    return onDisk(this.#path(segment.baseOffset), 'removing the log file', async () => {
      await segment.bytes.remove()
      await unlink(this.#indexPath(segment.baseOffset)).catch(ignoreMissing)
    })
  }

  removeAll(): Promise<void> {
    const { folder } = this.#options
    return onDisk(folder, 'removing', () => rm(folder, { recursive: true, force: true }))
  }

  async #baseOffsets(): Promise<number[]> {
    const names = await readdir(this.#options.folder).catch((error: unknown) => {
      ignoreMissing(error)
      return []
    })
    const offsets = names.map((name) => SEGMENT_NAME.exec(name)?.[1]).filter((digits) => digits !== undefined)
    return offsets.map(Number).sort((a, b) => a - b)
  }

  /** A sealed segment is known by its index alone; only without one is it read. */
  async #openSealed(baseOffset: number): Promise<Segment> {
    const path = this.#path(baseOffset)
    const { bytes, salt } = await this.#readPreamble(path)
    if (salt === undefined) throw this.#corrupt(path, 'its first bytes are damaged')
    const stored = await readFileIfThere(this.#indexPath(baseOffset))
    const summary = stored === undefined ? null : SparseIndex.decode(stored)
    if (summary !== null) {
      if (summary.bytes !== bytes) throw this.#corrupt(path, `it has ${bytes} bytes and was sealed with ${summary.bytes}`)
      return this.#segment(baseOffset, bytes, salt, summary)
    }
    const scan = await this.#scan(path, bytes, baseOffset, salt)
    if (scan.tail !== 'clean') throw this.#corrupt(path, `its bytes from ${scan.validBytes} on are damaged`)
    const segment = this.#segment(baseOffset, bytes, salt, scan)
    await this.seal(segment)
    return segment
  }

  /** The segment that was being written when the broker stopped, however it stopped. */
  async #openActive(baseOffset: number): Promise<Segment> {
    const path = this.#path(baseOffset)
    const { bytes, salt } = await this.#readPreamble(path)
    if (salt === undefined) {
      // Records come after the preamble is durable: a file that is no longer than it has none.
      if (bytes > PREAMBLE_BYTES) throw this.#corrupt(path, 'its first bytes are damaged')
      return this.#segment(baseOffset, PREAMBLE_BYTES, await this.#writePreamble(baseOffset))
    }
    const scan = await this.#scan(path, bytes, baseOffset, salt)
    if (scan.tail === 'corrupt') throw this.#corrupt(path, `its bytes from ${scan.validBytes} on (offset ${scan.endOffset}) are damaged`)
    if (scan.tail === 'torn') {
      this.#options.logger.warn(
        { path, bytes: bytes - scan.validBytes, offset: scan.endOffset },
        'dropped a write that was cut short when the broker was last stopped; nobody had been told that it was stored',
      )
      await truncate(path, scan.validBytes)
    }
    // What was written and not yet synced becomes readable now, so it must not be lost any more.
    if (this.#options.durability === 'fsync') await syncFile(path)
    return this.#segment(baseOffset, scan.validBytes, salt, scan)
  }

  async #scan(path: string, fileBytes: number, baseOffset: number, salt: number): Promise<ScanResult> {
    const file = await open(path, 'r')
    const read = async (position: number, target: Buffer): Promise<number> => {
      const { bytesRead } = await file.read(target, 0, target.length, position)
      return bytesRead
    }
    try {
      return await scanSegment({ read, from: PREAMBLE_BYTES, fileBytes, baseOffset, salt })
    } finally {
      await file.close()
    }
  }

  async #writePreamble(baseOffset: number): Promise<number> {
    const preamble = Buffer.alloc(PREAMBLE_BYTES)
    MAGIC.copy(preamble)
    randomBytes(4).copy(preamble, 8)
    preamble.writeUInt32LE(crc32(preamble.subarray(0, 12)), 12)
    const file = await open(this.#path(baseOffset), 'w')
    try {
      await file.writeFile(preamble)
      if (this.#options.durability === 'fsync') await file.sync()
    } finally {
      await file.close()
    }
    return preamble.readUInt32LE(8)
  }

  async #readPreamble(path: string): Promise<{ bytes: number; salt: number | undefined }> {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      const preamble = Buffer.alloc(PREAMBLE_BYTES)
      await file.read(preamble, 0, PREAMBLE_BYTES, 0)
      const isIntact = preamble.subarray(0, 8).equals(MAGIC) && preamble.readUInt32LE(12) === crc32(preamble.subarray(0, 12))
      return { bytes: size, salt: isIntact ? preamble.readUInt32LE(8) : undefined }
    } finally {
      await file.close()
    }
  }

  #segment(baseOffset: number, size: number, salt: number, known?: Pick<ScanResult, 'index' | 'endOffset' | 'maxTimestamp'>): Segment {
    const { durability, cache } = this.#options
    const bytes = new FileSegmentBytes({ path: this.#path(baseOffset), size, durability, cache })
    const { index, endOffset, maxTimestamp } = known ?? {}
    return new Segment({ bytes, baseOffset, salt, preambleBytes: PREAMBLE_BYTES, index, endOffset, maxTimestamp })
  }

  #path(baseOffset: number): string {
    return join(this.#options.folder, `${String(baseOffset).padStart(20, '0')}.log`)
  }

  #indexPath(baseOffset: number): string {
    return join(this.#options.folder, `${String(baseOffset).padStart(20, '0')}.index`)
  }

  #corrupt(path: string, what: string): Error {
    return messagingError(
      'ERR_MESSAGING_LOG_CORRUPT',
      `the log at ${path} is damaged: ${what}. Restore it from a backup, or begin with an empty data folder; nothing was changed`,
      { context: { path } },
    )
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
