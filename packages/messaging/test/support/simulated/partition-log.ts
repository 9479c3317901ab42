import { BROKER } from '../../../src/kafka/broker-errors.ts'
import { decodeRecords } from '../../../src/kafka/protocol/records/decode-records.ts'
import { encodeRecordBatch } from '../../../src/kafka/protocol/records/encode-record-batch.ts'

/** A batch as the log has it. */
export interface LoggedBatch {
  readonly baseOffset: bigint
  readonly values: readonly string[]
  readonly bytes: Uint8Array
}

/** What the broker remembers of a producer: its newest batches, by which it knows one that comes again. */
interface KnownProducer {
  readonly epoch: number
  next: number
  readonly newest: { readonly sequence: number; readonly count: number; readonly baseOffset: bigint }[]
}

const PRODUCER_ID_AT = 43
const EPOCH_AT = 51
const SEQUENCE_AT = 53
const REMEMBERED = 5

/** One partition's log, which judges the numbers of producers as Kafka's `ProducerStateManager` does. */
export class PartitionLog {
  readonly batches: LoggedBatch[] = []
  /** How often a producer skipped a number, or came with one of the past. */
  numberFaults = 0
  readonly #producers = new Map<bigint, KnownProducer>()
  #waiting: (() => void)[] = []

  get end(): bigint {
    const last = this.batches.at(-1)
    return last === undefined ? 0n : last.baseOffset + BigInt(last.values.length)
  }

  get values(): string[] {
    return this.batches.flatMap(({ values }) => values)
  }

  /** Puts records there that no client sent. */
  write(values: readonly string[]): void {
    this.#store(encodeRecordBatch(values.map((value) => ({ value })), { now: 0 }), values)
  }

  append(bytes: Uint8Array): { errorCode: number; baseOffset: bigint } {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const [id, epoch, sequence] = [buffer.readBigInt64BE(PRODUCER_ID_AT), buffer.readInt16BE(EPOCH_AT), buffer.readInt32BE(SEQUENCE_AT)]
    const values = valuesOf(buffer)
    const producer = this.#producers.get(id) ?? { epoch, next: sequence, newest: [] }
    const same = producer.newest.find((batch) => batch.sequence === sequence && batch.count === values.length)
    if (same !== undefined) return { errorCode: BROKER.NONE, baseOffset: same.baseOffset }
    if (epoch < producer.epoch) return { errorCode: BROKER.INVALID_PRODUCER_EPOCH, baseOffset: -1n }
    if (sequence !== producer.next) {
      this.numberFaults++
      return { errorCode: sequence < producer.next ? BROKER.DUPLICATE_SEQUENCE_NUMBER : BROKER.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1n }
    }
    const baseOffset = this.#store(buffer, values)
    producer.next += values.length
    producer.newest.push({ sequence, count: values.length, baseOffset })
    if (producer.newest.length > REMEMBERED) producer.newest.shift()
    this.#producers.set(id, producer)
    return { errorCode: BROKER.NONE, baseOffset }
  }

  /** Batches from the one on that has the offset. */
  from(offset: bigint, maxBytes: number): Uint8Array {
    const wanted: Uint8Array[] = []
    let bytes = 0
    for (const batch of this.batches) {
      if (batch.baseOffset + BigInt(batch.values.length) <= offset) continue
      if (wanted.length > 0 && bytes + batch.bytes.length > maxBytes) break
      wanted.push(batch.bytes)
      bytes += batch.bytes.length
    }
    return Buffer.concat(wanted)
  }

  /** Resolves with the next record that comes. */
  grown(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #store(bytes: Uint8Array, values: readonly string[]): bigint {
    const baseOffset = this.end
    const stamped = Buffer.from(bytes)
    stamped.writeBigInt64BE(baseOffset, 0)
    this.batches.push({ baseOffset, values, bytes: stamped })
    for (const tell of this.#waiting.splice(0)) tell()
    return baseOffset
  }
}

function valuesOf(bytes: Buffer): string[] {
  const fetched = { topic: 't', topicId: '', partition: 0, errorCode: 0, highWatermark: 0n, lastStableOffset: 1n << 60n, logStartOffset: 0n, abortedTransactions: [], records: bytes, fetchOffset: 0n }
  const records = decodeRecords(fetched)
  return Array.from({ length: records.length }, (_, index) => Buffer.from(records.valueAt(index) ?? []).toString())
}
