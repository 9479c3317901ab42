import { PartialSendError } from '../../errors.ts'
import { checkRecord } from '../../memory/check-record.ts'
import { PartitionChooser } from '../../memory/choose-partition.ts'
import { recordSizeBound } from '../protocol/records/encode-record-batch.ts'
import type { OutgoingRecord, RecordPosition } from '../../transport.ts'
import { PartitionSender, type SenderPorts, type SendOutcome } from './partition-sender.ts'

/** Sends records of all topics, each partition's on their own: one partition that is stuck holds up nobody else. */
export class RecordSender {
  readonly #ports: SenderPorts
  readonly #senders = new Map<string, PartitionSender>()
  readonly #choosers = new Map<string, { readonly partitions: number; readonly chooser: PartitionChooser }>()

  constructor(ports: SenderPorts) {
    this.#ports = ports
  }

  /** Where each record was stored, in the order given. @throws PartialSendError when not each of them is known to be stored */
  async send(topic: string, records: readonly OutgoingRecord[], signal: AbortSignal): Promise<readonly RecordPosition[]> {
    const { view, settings } = this.#ports
    const { id, partitions } = await view.topic(topic, signal)
    for (const [index, record] of records.entries()) checkRecord(record, index, { topic, partitions: partitions.length, maxRecordBytes: settings.maxRecordBytes })
    const parts = this.#divide(`${topic}/${id}`, records, partitions.length)
    const outcomes = await Promise.all([...parts].map(async ([partition, part]) => ({ partition, part, outcomes: await this.#sendPart(topic, id, partition, part, signal) })))
    return positionsOf(topic, records.length, outcomes)
  }

  /** Which records go to which partition, each with its place in the send. */
  #divide(topic: string, records: readonly OutgoingRecord[], partitions: number): Map<number, Part> {
    const chooser = this.#chooser(topic, partitions)
    chooser.beginSend()
    const parts = new Map<number, Part>()
    for (const [index, record] of records.entries()) {
      const bytes = recordSizeBound(record)
      const partition = chooser.choose(record, bytes)
      const part = parts.get(partition) ?? { indexes: [], records: [], sizes: [] }
      part.indexes.push(index)
      part.records.push(record)
      part.sizes.push(bytes)
      parts.set(partition, part)
    }
    return parts
  }

  #chooser(topic: string, partitions: number): PartitionChooser {
    const known = this.#choosers.get(topic)
    if (known?.partitions === partitions) return known.chooser
    const chooser = new PartitionChooser(partitions)
    this.#choosers.set(topic, { partitions, chooser })
    return chooser
  }

  /** One partition's records, in as many parcels as their bytes need. */
  #sendPart(topic: string, topicId: string, partition: number, { records, sizes }: Part, signal: AbortSignal): Promise<readonly Parcelled[]> {
    const key = `${topicId}/${partition}`
    const sender = this.#senders.get(key) ?? new PartitionSender(this.#ports, topic, partition)
    this.#senders.set(key, sender)
    const sending: Promise<Parcelled>[] = []
    for (let from = 0; from < records.length; ) {
      let [to, bytes] = [from, 0]
      while (to < records.length && (to === from || bytes + (sizes[to] as number) <= this.#ports.settings.maxBatchBytes)) bytes += sizes[to++] as number
      const range = { from, to }
      sending.push(sender.send(records.slice(from, to), bytes, signal).then((outcome) => ({ ...range, outcome })))
      from = to
    }
    return Promise.all(sending)
  }
}

interface Part {
  readonly indexes: number[]
  readonly records: OutgoingRecord[]
  readonly sizes: number[]
}

interface Parcelled {
  readonly from: number
  readonly to: number
  readonly outcome: SendOutcome
}

function positionsOf(topic: string, count: number, parts: readonly { partition: number; part: Part; outcomes: readonly Parcelled[] }[]): readonly RecordPosition[] {
  const stored = new Array<RecordPosition | null>(count).fill(null)
  const unknown: number[] = []
  const failures: unknown[] = []
  for (const { partition, part, outcomes } of parts) {
    for (const { from, to, outcome } of outcomes) {
      if (outcome.kind !== 'stored') failures.push(outcome.error)
      for (let place = from; place < to; place++) {
        const index = part.indexes[place] as number
        if (outcome.kind === 'stored') stored[index] = { partition, offset: outcome.baseOffset + BigInt(place - from) }
        else if (outcome.kind === 'unknown') unknown.push(index)
      }
    }
  }
  if (failures.length === 0) return stored as RecordPosition[]
  // Nothing of it is there, for sure: the reason alone says all.
  if (unknown.length === 0 && stored.every((position) => position === null)) throw failures[0]
  throw new PartialSendError({ topic, stored, unknown: unknown.sort((left, right) => left - right), cause: failures[0] })
}
