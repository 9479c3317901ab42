import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Logger, silentLogger } from '@smart-whale/interfaces'
import type { FramePart } from '../../src/memory/log/frame.ts'
import { FolderSegmentStore } from '../../src/memory/log/folder-segment-store.ts'
import { PartitionLog, type PartitionLogOptions } from '../../src/memory/log/partition-log.ts'
import { recordBytes, valueAt, writeRecord } from '../../src/memory/log/record-layout.ts'
import { TailCache } from '../../src/memory/log/tail-cache.ts'

/** Runs with a folder that is deleted afterwards. */
export async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'smart-whale-log-'))
  try {
    return await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A store over a folder, without a cache so that reads come from the disk. */
export const storeIn = (folder: string, logger: Logger = silentLogger, cacheBytes = 0): FolderSegmentStore =>
  new FolderSegmentStore({ folder, durability: 'write', cache: new TailCache(cacheBytes), logger })

/** A log over a folder; makes its first segment when there is none. */
export async function openLog(folder: string, options: Partial<PartitionLogOptions> = {}): Promise<PartitionLog> {
  const store = options.store ?? storeIn(folder)
  const names = await readdir(folder)
  if (!names.some((name) => name.endsWith('.log'))) await (await store.create(0)).bytes.close()
  const retention = { maxBytes: undefined, maxAgeMs: undefined }
  return PartitionLog.open({ name: 'the log', store, segmentBytes: 1_000_000, frameBytes: 1_000_000, retention, now: Date.now, ...options })
}

/** Records of these values as one part of a frame. */
export function partOf(values: readonly (string | Buffer)[], timestamp = Date.now()): FramePart {
  const records = values.map((value) => ({ value }))
  const body = Buffer.alloc(records.reduce((sum, record) => sum + recordBytes(record), 0))
  let at = 0
  for (const record of records) at = writeRecord(body, at, record, timestamp)
  return { body, records: values.length, maxTimestamp: timestamp }
}

/** Appends the values and waits until they are stored. */
export const append = (log: PartitionLog, values: readonly (string | Buffer)[], timestamp?: number): Promise<number> =>
  log.append(partOf(values, timestamp)).stored

/** Every value from an offset on, read chunk by chunk. */
export async function readValues(log: PartitionLog, from = log.earliest): Promise<string[]> {
  const values: string[] = []
  for (let found = await log.read({ offset: from }); found !== null; found = await log.read(found.next)) {
    for (const start of found.chunk.starts) values.push(String(valueAt(found.chunk.buffer, start)))
  }
  return values
}
