import { createHmac, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { AuditEntry, AuditStore, ChainHead, FoundEntry } from '@smart-whale/interfaces'
import { AuditError } from '../errors.ts'
import { CHAIN_START, type ChainKey } from './audit-chain.ts'
import { listSegments, segmentPath } from './audit-segments.ts'

/** Where the last entry is looked for, from the end. */
const TAIL_BYTES = 1024 * 1024

/**
 * A chain in a file, one JSON line an entry, mode 600. Beside it `<file>.head` says how far it has been: a file that was cut off ends
 * before it. A file that is full is called `<file>.<its last entry's number>` from then on, and the chain goes on in a new one: which entries
 * there must be doesn't depend on how they are cut. One process may write at a time.
 */
export class AuditFile implements AuditStore {
  readonly path: string
  readonly #key: ChainKey
  readonly #maxBytes: number
  #file: FileHandle | null = null
  /** Bytes of the present file that were acknowledged. */
  #size = 0
  /** Whether the present file may have more than these. */
  #hasRest = false

  constructor(path: string, key: ChainKey, maxBytes = Infinity) {
    this.path = path
    this.#key = key
    this.#maxBytes = maxBytes
  }

  async open(): Promise<ChainHead> {
    return this.#explained(async () => {
      await mkdir(dirname(this.path), { recursive: true })
      await takeLock(`${this.path}.lock`)
      try {
        this.#file = await open(this.path, 'a+', 0o600)
        return await this.#lastEntry(this.#file)
      } catch (error) {
        await this.#leave()
        throw error
      }
    })
  }

  async append(entries: readonly AuditEntry[]): Promise<void> {
    const last = entries.at(-1)
    if (last === undefined) return
    await this.#explained(async () => {
      if (this.#file === null) throw new AuditError('ERR_AUDIT_CLOSED', 'the audit log is closed; open it anew')
      const file = this.#size < this.#maxBytes ? this.#file : await this.#beginAnother((entries[0]?.sequence ?? 1) - 1)
      const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
      await this.#removeRest(file)
      try {
        this.#hasRest = true
        await file.appendFile(text)
        await file.datasync()
        await this.#writeHead({ sequence: last.sequence, hash: last.hash })
        this.#size += Buffer.byteLength(text)
        this.#hasRest = false
      } catch (error) {
        // At once, so that nobody finds it; a disk that lets that fail, too, is tried again before anything is written behind it.
        await this.#removeRest(file).catch(() => {})
        throw error
      }
    })
  }

  async *read(): AsyncIterable<FoundEntry> {
    // The present one first: what it is called when the others are looked for doesn't matter then.
    const present = await this.#explained(() => this.#openPresent())
    try {
      for (const segment of await listSegments(this.path, (await present?.stat())?.ino)) yield* linesOf(createReadStream(segment, 'utf8'))
      if (present !== undefined) yield* linesOf(present.createReadStream({ encoding: 'utf8', autoClose: false }))
    } finally {
      await present?.close()
    }
  }

  /** Undefined in the moment between two files. */
  async #openPresent(): Promise<FileHandle | undefined> {
    try {
      return await open(this.path, 'r')
    } catch (error) {
      const isBetween = (error as NodeJS.ErrnoException).code === 'ENOENT' && (await listSegments(this.path)).length > 0
      if (isBetween) return undefined
      throw error
    }
  }

  /** By the file beside the log. One that is there but not ours is a fault of its own. */
  async knownHead(): Promise<ChainHead | undefined> {
    const text = await readFile(`${this.path}.head`, 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    const [sequence, hash, seal] = text.trim().split(' ')
    if (hash === undefined || seal !== this.#seal(`${sequence} ${hash}`)) return { sequence: Number.MAX_SAFE_INTEGER, hash: 'the file beside the log was changed' }
    return { sequence: Number(sequence), hash }
  }

  async close(): Promise<void> {
    if (this.#file !== null) await this.#leave()
  }

  /** Entries that were not acknowledged: the chain doesn't have them, and goes on where they stand. */
  async #removeRest(file: FileHandle): Promise<void> {
    if (!this.#hasRest) return
    await file.truncate(this.#size)
    this.#hasRest = false
  }

  /** The former one is closed for good, and has its name, before another is there. */
  async #beginAnother(lastSequence: number): Promise<FileHandle> {
    await this.#file?.close()
    await rename(this.path, segmentPath(this.path, lastSequence)).catch(ifItHasItAlready)
    this.#file = await open(this.path, 'a+', 0o600)
    this.#size = 0
    return this.#file
  }

  async #leave(): Promise<void> {
    await this.#file?.close()
    this.#file = null
    await rm(`${this.path}.lock`, { force: true })
  }

  async #writeHead({ sequence, hash }: ChainHead): Promise<void> {
    const text = `${sequence} ${hash}`
    await writeFile(`${this.path}.head.tmp`, `${text} ${this.#seal(text)}\n`, { mode: 0o600 })
    await rename(`${this.path}.head.tmp`, `${this.path}.head`)
  }

  #seal(text: string): string {
    return this.#key === undefined ? createHash('sha256').update(text).digest('hex') : createHmac('sha256', this.#key).update(`head ${text}`).digest('hex')
  }

  /** A line that a crash has torn was never acknowledged: it goes, and the chain continues behind the last whole one. */
  async #lastEntry(file: FileHandle): Promise<ChainHead> {
    const { size } = await file.stat()
    const start = Math.max(0, size - TAIL_BYTES)
    const tail = Buffer.alloc(size - start)
    await file.read(tail, 0, tail.length, start)
    const wholeEnd = tail.lastIndexOf(0x0a) + 1
    if (wholeEnd < tail.length) await file.truncate(start + wholeEnd)
    this.#size = start + wholeEnd
    const last = lastLine(tail.subarray(0, wholeEnd)) || (await this.#lastOfSegments())
    const known = await this.knownHead()
    if (last === '') return known === undefined ? CHAIN_START : refuseCut(this.path, known, CHAIN_START)
    const entry = parsed(last)
    if ('broken' in entry) throw new AuditError('ERR_AUDIT_BROKEN', `the last line of the audit log ${this.path} ${entry.broken}; keep the file as it is for whoever looks into it, and begin another one`)
    return known !== undefined && known.sequence > entry.sequence ? refuseCut(this.path, known, entry) : { sequence: entry.sequence, hash: entry.hash }
  }

  /** A process may have ended between two files. */
  async #lastOfSegments(): Promise<string> {
    const newest = (await listSegments(this.path)).at(-1)
    if (newest === undefined) return ''
    const file = await open(newest, 'r')
    try {
      const { size } = await file.stat()
      const tail = Buffer.alloc(Math.min(size, TAIL_BYTES))
      await file.read(tail, 0, tail.length, size - tail.length)
      return lastLine(tail)
    } finally {
      await file.close()
    }
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (AuditError.isInstance(error)) throw error
      const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason'
      throw new AuditError('ERR_AUDIT_WRITE', `the audit log ${this.path} can't be read or written (${reason}); check its folder, and the room on the disk`, { reason }, error)
    }
  }
}

/** By an attempt that failed behind it, or by whoever keeps logs. */
function ifItHasItAlready(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}

const lastLine = (tail: Buffer): string => tail.toString('utf8').trimEnd().split('\n').at(-1) ?? ''

async function* linesOf(input: Readable): AsyncIterable<FoundEntry> {
  for await (const line of createInterface({ input, crlfDelay: Infinity })) yield parsed(line)
}

function refuseCut(path: string, known: ChainHead, found: ChainHead): never {
  throw new AuditError('ERR_AUDIT_BROKEN', `the audit log ${path} has been up to entry ${known.sequence} and ends at ${found.sequence}: it was cut off. Keep it as it is for whoever looks into it, and begin another one`)
}

function parsed(line: string): FoundEntry {
  try {
    const entry = JSON.parse(line) as FoundEntry
    return typeof entry === 'object' && entry !== null && 'hash' in entry ? entry : { broken: 'is no entry of an audit log' }
  } catch {
    return { broken: 'is no JSON' }
  }
}

/** Two writers would make two chains in one file. The lock of a process that is gone counts for nothing. */
async function takeLock(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const file = await open(path, 'wx', 0o600)
      await file.writeFile(String(process.pid))
      return await file.close()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error
      const owner = Number(await readFile(path, 'utf8').catch(() => '0'))
      if (isAlive(owner)) throw new AuditError('ERR_AUDIT_LOCKED', `the audit log is being written by process ${owner}; give each process a log of its own`)
      await rm(path, { force: true })
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
