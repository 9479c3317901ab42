import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { OperationalError } from '../operational-errors.ts'
import type { RowDetector } from './rows-in-answer.ts'

/** Bytes that are held back while it can't be told whether there are rows. */
const MAX_HELD_BYTES = 256 * 1024

/**
 * Writes an answer beside the path that it is to have, and gives it this path when it is whole and on the disk. Answers whether it did: without rows there is
 * no file, and no folder that wasn't there. Whatever ends it early leaves what was there before.
 * @throws OperationalError `ERR_CLICKHOUSE_EXPORT_FILE`, or what the answer failed with
 */
export async function writeAnswer(body: AsyncIterable<Uint8Array>, path: string, detector: RowDetector, onBytes: (bytes: number) => void): Promise<boolean> {
  const file = new PartialFile(resolve(path))
  try {
    let held: Uint8Array[] = []
    let heldBytes = 0
    let written = 0
    for await (const chunk of body) {
      detector.push(chunk)
      held.push(chunk)
      heldBytes += chunk.length
      if (detector.hasRows(false) !== true && heldBytes < MAX_HELD_BYTES) continue
      for (const part of held) await file.write(part)
      written += heldBytes
      onBytes(written)
      held = []
      heldBytes = 0
    }
    if (detector.hasRows(true) !== true) {
      await file.discard()
      return false
    }
    for (const part of held) await file.write(part)
    onBytes(written + heldBytes)
    await file.keep()
    return true
  } catch (error) {
    await file.discard()
    throw error
  }
}

/** A file that has no name of its own until it is kept. */
class PartialFile {
  readonly #path: string
  readonly #temporary: string
  #handle: FileHandle | null = null
  /** The topmost folder that had to be made. */
  #madeFolder: string | undefined

  constructor(path: string) {
    this.#path = path
    this.#temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.partial`)
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#guarded(async () => {
      const handle = this.#handle ?? (await this.#open())
      // In one piece, or with the error that kept the rest of it out.
      await handle.writeFile(chunk)
    })
  }

  async keep(): Promise<void> {
    await this.#guarded(async () => {
      const handle = this.#handle ?? (await this.#open())
      await handle.sync()
      await handle.close()
      this.#handle = null
      await rename(this.#temporary, this.#path)
    })
  }

  async discard(): Promise<void> {
    await this.#handle?.close().catch(() => {})
    this.#handle = null
    await rm(this.#temporary, { force: true })
    await this.#removeMadeFolders()
  }

  async #open(): Promise<FileHandle> {
    this.#madeFolder = await mkdir(dirname(this.#path), { recursive: true })
    this.#handle = await open(this.#temporary, 'wx')
    return this.#handle
  }

  /** From the innermost one outwards, unless somebody put something in. */
  async #removeMadeFolders(): Promise<void> {
    if (this.#madeFolder === undefined) return
    for (let folder = dirname(this.#path); folder.length >= this.#madeFolder.length; folder = dirname(folder)) {
      const removed = await rmdir(folder).then(
        () => true,
        () => false,
      )
      if (!removed) return
    }
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const { code = 'failed' } = error as { code?: string }
      const remedy = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG' ? 'make room' : 'look at the path and the rights of its folder'
      throw new OperationalError(`the export can't be written to ${this.#path} (${code}): ${remedy}; nothing is left of it`, {
        code: 'ERR_CLICKHOUSE_EXPORT_FILE',
        cause: error,
        context: { path: this.#path, systemCode: code },
      })
    }
  }
}
