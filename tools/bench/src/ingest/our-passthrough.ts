import { createAdapter, createBatchWriter } from '@smart-whale/clickhouse'
import type { ColumnBatch, ColumnLayout, ColumnValues } from '@smart-whale/interfaces'
import type { PartitionReader, RecordBatch, ValuePlace } from '@smart-whale/messaging'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import { endlessTransport } from './endless-transport.ts'
import { BATCH_EVENTS } from './ingest-events.ts'
import type { Quota } from './quota.ts'
import type { WorkerConfig } from './worker-config.ts'

/** Bytes of a batch; it has as many events as the others' then. */
const BATCH_BYTES = 64 * 1024 * 1024

/** Moves values as they are: the packages' reader and batch writer without a pipeline. At least once, and a batch that is repeated is dropped by its token. */
export async function passThrough({ brokers, topic, url, username, password, table, length }: WorkerConfig, quota: Quota): Promise<{ stop(): Promise<void> }> {
  const [database = '', name = ''] = table.split('.')
  const adapter = createAdapter({ url, user: username, password, database })
  const writer = createBatchWriter(adapter, name)
  const transport = createPlatformaticTransport({ brokers })
  await transport.start()
  const membership = await endlessTransport(transport, quota, length).join({
    groupId: `bench-${crypto.randomUUID()}`,
    topics: [topic],
    onPartition: async (reader) => {
      const memory: Memory = { values: Buffer.alloc(0), offsets: new Float64Array(BATCH_EVENTS) }
      while (!reader.signal.aborted) await moveBatch(reader, memory, async (columns, token) => void (await writer.write({ rows: [], columns, token })), quota)
    },
  })
  return {
    stop: async () => {
      await membership.leave()
      await transport.stop()
      await adapter.close()
    },
  }
}

/** Used for each batch anew. */
interface Memory {
  values: Buffer
  readonly offsets: Float64Array
}

async function moveBatch(reader: PartitionReader, memory: Memory, write: (columns: ColumnBatch, token: string) => Promise<void>, quota: Quota): Promise<void> {
  const batches: RecordBatch[] = []
  let rows = 0
  while (rows < BATCH_EVENTS) {
    const batch = await reader.read({ maxBytes: BATCH_BYTES, maxRecords: BATCH_EVENTS - rows, maxWaitMs: rows === 0 ? 1000 : 100 })
    if (batch.length === 0) break
    batches.push(batch)
    rows += batch.length
  }
  const last = batches.at(-1)
  if (last === undefined) return
  await write(columnsOf(batches, rows, memory), `${reader.topic}-${reader.partition}-${batches[0]?.offsetAt(0)}-${last.nextOffset}`)
  for (const batch of batches) batch.release?.()
  await reader.commit(last.nextOffset)
  quota.done(rows)
}

function columnsOf(batches: readonly RecordBatch[], rows: number, memory: Memory): ColumnBatch {
  const [{ topic, partition } = { topic: '', partition: 0 }] = batches
  const mostBytes = batches.reduce((sum, batch) => sum + batch.bytes, 5 * rows)
  if (memory.values.length < mostBytes) memory.values = Buffer.allocUnsafe(mostBytes)
  const value = memory.values
  // Each a 64-bit integer: two words, the low one first.
  const offsets = new DataView(memory.offsets.buffer)
  const place: ValuePlace = { bytes: value, start: 0, end: 0, offset: 0 }
  let at = 0
  let row = 0
  for (const batch of batches) {
    for (let index = 0; index < batch.length; index++) {
      batch.locateValue?.(index, place)
      at = writeLength(value, at, place.end - place.start)
      at += (place.bytes as Buffer).copy(value, at, place.start, place.end)
      offsets.setInt32(8 * row, place.offset, true)
      offsets.setInt32(8 * row + 4, Math.floor(place.offset / 2 ** 32), true)
      row++
    }
  }
  const source = Buffer.from([0, ...Buffer.from(topic)])
  source[0] = source.length - 1
  return {
    rows,
    columns: [
      column('value', 'text', value.subarray(0, at)),
      column('source_offset', 'int64', Buffer.from(memory.offsets.buffer, 0, 8 * rows)),
      { ...column('source_topic', 'text', source), isConstant: true },
      { ...column('source_partition', 'int32', Buffer.from(Int32Array.of(partition).buffer)), isConstant: true },
    ],
  }
}

function column(name: string, layout: ColumnLayout, bytes: Uint8Array): ColumnValues {
  return { name, layout, bytes, precision: 0, scale: 0, isConstant: false, nulls: null }
}

function writeLength(bytes: Buffer, start: number, length: number): number {
  let at = start
  let rest = length
  for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
  bytes[at++] = rest
  return at
}
