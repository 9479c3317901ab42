import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaApi, KafkaTarget } from '../../src/kafka/kafka-api.ts'
import { decodeRecords } from '../../src/kafka/protocol/records/decode-records.ts'
import { encodeRecordBatch, type EncodeBatchOptions } from '../../src/kafka/protocol/records/encode-record-batch.ts'
import { SOON } from './connection-subject.ts'
import { outgoing, type SampleRecord } from './sample-records.ts'

/** A topic of one partition, written and read by nothing but typed requests and our own batches. */
export interface RawPartition {
  readonly topic: string
  append(records: readonly SampleRecord[], options?: Partial<EncodeBatchOptions>): Promise<bigint>
  /** Everything that is committed, with its offsets. */
  readAll(): Promise<readonly (SampleRecord & { readonly offset: bigint })[]>
}

/** Makes a topic of its own. */
export async function makeRawPartition(api: KafkaApi, target: KafkaTarget, configs: Readonly<Record<string, string>> = {}): Promise<RawPartition> {
  const topic = `interoperability.${randomUUID()}`
  const made = await api.createTopic(target, { topic, partitions: 1, replication: 1, configs: { 'max.message.bytes': '10000000', ...configs } }, SOON)
  assert.equal(made.errorCode, 0, made.errorMessage ?? undefined)
  let appended = 0n
  // The end is that of what is decided: a transaction's marker may be written after its end was acknowledged.
  const end = async (): Promise<bigint> => {
    for (const deadline = performance.now() + SOON.timeoutMs; ; await sleep(20)) {
      const { errorCode, offset } = await api.listOffsets(target, { topic, partition: 0, timestamp: -1n, leaderEpoch: -1 }, SOON)
      if (errorCode === 0 && offset >= appended) return offset
      assert.ok(performance.now() < deadline, `no leader yet (${errorCode}), or it ends at ${offset} after ${appended} were appended`)
    }
  }
  await end()
  const topicId = (await api.metadata(target, [topic], SOON)).topics[0]?.id ?? ''
  return {
    topic,
    append: async (records, options) => {
      const batch = encodeRecordBatch(outgoing(records), { now: Date.now(), ...options })
      const result = await api.produce(target, { topic, partition: 0, records: batch, transactionalId: null }, SOON)
      assert.equal(result.errorCode, 0, result.errorMessage ?? undefined)
      const nextOffset = result.baseOffset + BigInt(records.length)
      if (nextOffset > appended) appended = nextOffset
      return result.baseOffset
    },
    readAll: async () => {
      const all: (SampleRecord & { offset: bigint })[] = []
      const latest = await end()
      for (let next = 0n; next < latest; ) {
        const partition = { topicId, partition: 0, leaderEpoch: -1, fetchOffset: next, maxBytes: 100_000 }
        const { partitions } = await api.fetch(target, { maxWaitMs: 1_000, minBytes: 1, maxBytes: 100_000, partitions: [partition] }, SOON)
        const fetched = partitions[0] ?? assert.fail('no answer for the partition')
        assert.equal(fetched.errorCode, 0)
        const records = decodeRecords({ topic, fetchOffset: next, ...fetched })
        for (let index = 0; index < records.length; index++) {
          const [key, value] = [records.keyAt(index), records.valueAt(index)].map((bytes) => (bytes === null ? null : Buffer.from(bytes)))
          const headers = Object.fromEntries(Object.entries(records.headersAt(index)).map(([name, bytes]) => [name, Buffer.from(bytes)]))
          all.push({ key: key ?? null, value: value ?? null, headers, timestamp: records.timestampAt(index), offset: records.offsetAt(index) })
        }
        assert.ok(records.nextOffset > next, 'nothing was read')
        next = records.nextOffset
      }
      return all
    },
  }
}
