import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { MessagingTransport, PartitionReader, RecordBatch, TopicSettings } from '../../src/transport.ts'

/** What the suite runs against. */
export interface TransportSubject {
  /**
   * A started client of the subject's broker; another one each time. The subject stops them all afterwards. Of one that is to crash the
   * broker knows soon that it is gone; any other may be slow and isn't taken for dead.
   */
  connect(options?: { readonly isToCrash?: boolean }): Promise<MessagingTransport>
  /** Ends a client as the end of its process would. */
  crash(transport: MessagingTransport): void
}

/** One thing that every transport must do. */
export interface TransportCase {
  readonly name: string
  run(subject: TransportSubject): Promise<void>
}

/** For what should come: on a busy machine it takes its time. */
const DEADLINE_MS = 60_000

/** A topic of the case's own. */
export async function makeTopic(transport: MessagingTransport, settings: Partial<TopicSettings> = {}): Promise<string> {
  const name = `contract.${randomUUID()}`
  assert.equal(await transport.topics.create(name, { partitions: 1, ...settings }), true)
  return name
}

/** Waits until something is so; fails with its name when it isn't in time. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, { everyMs = 5, deadlineMs = DEADLINE_MS } = {}): Promise<void> {
  const deadline = performance.now() + deadlineMs
  while (!(await isSo())) {
    if (performance.now() > deadline) assert.fail(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

export interface PlainRecord {
  readonly partition: number
  readonly offset: bigint
  readonly key: string | null
  readonly value: string | null
}

/** The batch's records as plain objects. */
export function plain(batch: RecordBatch): PlainRecord[] {
  return Array.from({ length: batch.length }, (_, index) => ({
    partition: batch.partition,
    offset: batch.offsetAt(index),
    key: text(batch.keyAt(index)),
    value: text(batch.valueAt(index)),
  }))
}

/** Reads a partition without a group until its end. */
export async function readToEnd(reader: PartitionReader): Promise<PlainRecord[]> {
  const records: PlainRecord[] = []
  const { latest } = await reader.bounds()
  let next = 0n
  const deadline = performance.now() + DEADLINE_MS
  while (next < latest) {
    assert.ok(performance.now() < deadline, `reading ${reader.topic}/${reader.partition} did not come to its end`)
    const batch = await reader.read({ ...READ, maxWaitMs: 100 })
    records.push(...plain(batch))
    next = batch.nextOffset
  }
  return records
}

/** Everything that a topic has, partition by partition. */
export async function readTopic(transport: MessagingTransport, topic: string): Promise<PlainRecord[]> {
  const records: PlainRecord[] = []
  const partitions = (await transport.topics.describe(topic))?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    const reader = await transport.openPartition(topic, partition)
    records.push(...(await readToEnd(reader)))
    await reader.close()
  }
  return records
}

/** A handler that collects what it reads, and commits after each batch. */
export function collector(commit = true) {
  const records: PlainRecord[] = []
  const active = new Set<number>()
  const onPartition = async (reader: PartitionReader): Promise<void> => {
    active.add(reader.partition)
    try {
      while (!reader.signal.aborted) {
        const batch = await reader.read({ ...READ, maxWaitMs: 1_000 })
        records.push(...plain(batch))
        if (commit && batch.length > 0) await reader.commit(batch.nextOffset)
      }
    } finally {
      active.delete(reader.partition)
    }
  }
  return { records, active, onPartition, values: (): (string | null)[] => records.map((record) => record.value) }
}

/** A handler that waits for nothing but its end, and hands out its readers. */
export function holder() {
  const readers: PartitionReader[] = []
  const onPartition = async (reader: PartitionReader): Promise<void> => {
    readers.push(reader)
    await aborted(reader.signal)
  }
  return { readers, onPartition }
}

/** Resolves when the signal aborts. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

/** Rejects with an error of this code. */
export async function rejectsWith(code: string, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error: { code?: string }) => {
    assert.equal(error.code, code, String(error))
    return true
  })
}

/** Bounds that a test's reads never reach. */
export const READ = { maxBytes: 1_000_000, maxRecords: 10_000, maxWaitMs: 0 }

const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString('utf8'))
