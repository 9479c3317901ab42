import { type FileHandle, open, unlink } from 'node:fs/promises'
import { messagingError } from '../../errors.ts'
import { mapFileError } from '../../map-error.ts'
import type { SegmentBytes } from './segment-bytes.ts'
import type { TailCache } from './tail-cache.ts'

/** When a record counts as durable: on the disk itself, or with the operating system. */
export type Durability = 'fsync' | 'write'

/** What a segment in a file is made from. */
export interface FileSegmentOptions {
  /** The file; it must be there. @default none, required */
  readonly path: string
  /** Bytes of it that count, from its beginning: reads end and appends begin there. @default none, required */
  readonly size: number
  /** What has to happen to an append before it is done. @default none, required */
  readonly durability: Durability
  /** Keeps what was appended last, so that readers close behind need no disk. @default none, required */
  readonly cache: TailCache
}

/** A segment in a file. */
export class FileSegmentBytes implements SegmentBytes {
  readonly mayRot = true
  readonly path: string
  readonly #durability: Durability
  readonly #cache: TailCache
  #size: number
  #handle: Promise<FileHandle> | undefined
  #failure: unknown
  readonly #reading = new Set<Promise<Buffer>>()

  constructor(options: FileSegmentOptions) {
    this.path = options.path
    this.#durability = options.durability
    this.#cache = options.cache
    this.#size = options.size
  }

  get size(): number {
    return this.#size
  }

  async append(bytes: Buffer): Promise<void> {
    if (this.#failure !== undefined) throw this.#deadFile()
    const handle = await this.#open()
    try {
      await writeWhole(handle, bytes, this.#size)
    } catch (error) {
      await this.#takeBack(handle)
      throw mapFileError(error, this.path, 'writing the log file')
    }
    if (this.#durability === 'fsync') await this.#sync(handle)
    this.#cache.add(this, this.#size, bytes)
    this.#size += bytes.length
  }

  async read(position: number, length: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, this.#size - position))
    const cached = this.#cache.read(this, position, wanted)
    if (cached !== undefined) return cached
    const reading = this.#open().then((handle) => readWhole(handle, position, wanted))
    this.#reading.add(reading)
    try {
      return await reading
    } finally {
      this.#reading.delete(reading)
    }
  }

  async close(): Promise<void> {
    this.#cache.forget(this)
    await Promise.allSettled(this.#reading)
    const handle = this.#handle
    this.#handle = undefined
    if (handle !== undefined) await (await handle).close()
  }

  async remove(): Promise<void> {
    await this.close()
    await unlink(this.path)
  }

  #open(): Promise<FileHandle> {
    this.#handle ??= open(this.path, 'r+').catch((error: unknown) => {
      this.#handle = undefined
      throw mapFileError(error, this.path, 'opening the log file')
    })
    return this.#handle
  }

  /** What a failed write left behind must not stay in front of the next one. */
  async #takeBack(handle: FileHandle): Promise<void> {
    try {
      await handle.truncate(this.#size)
    } catch (error) {
      this.#failure = error
    }
  }

  /** After a failed sync nobody knows what is on the disk, and a second one may lie: only a restart looks again. */
  async #sync(handle: FileHandle): Promise<void> {
    try {
      await handle.datasync()
    } catch (error) {
      this.#failure = error
      throw this.#deadFile()
    }
  }

  #deadFile(): Error {
    return messagingError(
      'ERR_MESSAGING_LOG_FAILED',
      `the log file ${this.path} takes no more records, because the disk failed while it was written: look at the disk, then restart the broker`,
      { cause: this.#failure, status: 503, context: { path: this.path } },
    )
  }
}

async function readWhole(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

async function writeWhole(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}
