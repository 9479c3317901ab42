import { checkRecord } from '../../memory/check-record.ts'
import { PartitionChooser } from '../../memory/choose-partition.ts'
import { Room } from '../../memory/room.ts'
import type { OutgoingRecord, RecordPosition } from '../../transport.ts'
import { recordSizeBound } from '../protocol/records/encode-record-batch.ts'
import type { KafkaClient } from './kafka-client.ts'
import type { ParcelRun, SendOutcome } from './parcel.ts'
import { PartitionSender } from './partition-sender.ts'
import { ProducerIdentity, type SenderIdentity } from './producer-identity.ts'

/** What became of the records of one send. */
export interface SendReport {
  /** Record by record, in the order given: where it was stored, or null. Made when it is asked for: nobody asks in a transaction. */
  readonly stored: readonly (RecordPosition | null)[]
  /** The indices of those that may be stored or not. */
  readonly unknown: readonly number[]
  /** The first failure; undefined when every record is stored. */
  readonly failure: unknown
}

interface SendableTopic {
  readonly id: string
  readonly partitions: number
  readonly chooser: PartitionChooser
  readonly senders: Map<number, PartitionSender>
}

/** The records of one send that go to one partition, each with its place in the send. */
interface Part {
  readonly partition: number
  readonly indexes: number[]
  readonly records: OutgoingRecord[]
  readonly sizes: number[]
}

/** Under whose numbers records go to a partition. */
export type IdentifySender = (topic: string, partition: number) => SenderIdentity

/** Sends records of all topics, each partition's on their own: one partition that is stuck holds up nobody else. */
export class RecordSender {
  readonly #client: KafkaClient
  readonly #identify: IdentifySender
  readonly #topics = new Map<string, SendableTopic>()
  readonly #room = new Room()
  readonly #underWay = new Set<Promise<unknown>>()
  #pendingBytes = 0

  constructor(client: KafkaClient, identify: IdentifySender = () => new ProducerIdentity(client)) {
    this.#client = client
    this.#identify = identify
    const stopListening = client.view.onChange((name) => this.#forgetReplaced(name))
    client.closing.addEventListener('abort', stopListening, { once: true })
  }

  /**
   * Resolves when it is known what became of each record. When the signal aborts it resolves at once with what is known by then.
   *
   * @throws ValidationError `ERR_MESSAGING_INVALID_RECORD`, `ERR_MESSAGING_RECORD_TOO_LARGE`: nothing was sent
   * @throws OperationError `ERR_MESSAGING_TOPIC_NOT_FOUND`, or `ERR_ABORTED` while waiting for room: nothing was sent
   */
  send(topic: string, records: readonly OutgoingRecord[], signal: AbortSignal): Promise<SendReport> {
    const sending = this.#send(topic, records, signal)
    const ending = sending.catch(() => {}).finally(() => this.#underWay.delete(ending))
    this.#underWay.add(ending)
    return sending
  }

  /** Resolves when no send is under way any more. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  async #send(topic: string, records: readonly OutgoingRecord[], signal: AbortSignal): Promise<SendReport> {
    const { view, settings } = this.#client
    const { id, partitions } = await view.topic(topic, signal)
    const limits = { topic, partitions: partitions.length, maxRecordBytes: settings.maxRecordBytes }
    for (let index = 0; index < records.length; index++) checkRecord(records[index] as OutgoingRecord, index, limits)
    const target = this.#target(topic, id, partitions.length)
    const parts = divide(target.chooser, records)
    const bytes = parts.reduce((all, { sizes }) => all + sizes.reduce((sum, size) => sum + size, 0), 0)
    await this.#room.enter(() => this.#claim(bytes), signal)
    try {
      const runs = await Promise.all(parts.map((part) => this.#sendPart(target, { name: topic, id }, part, signal)))
      return reportOf(records.length, parts, runs)
    } finally {
      this.#pendingBytes -= bytes
      this.#room.changed()
    }
  }

  /** A send that is larger than all the room goes alone. */
  #claim(bytes: number): boolean {
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#client.settings.maxPendingBytes) return false
    this.#pendingBytes += bytes
    return true
  }

  #target(name: string, id: string, partitions: number): SendableTopic {
    const known = this.#topics.get(name)
    if (known?.id === id && known.partitions === partitions) return known
    const senders = known?.id === id ? known.senders : new Map<number, PartitionSender>()
    const target = { id, partitions, chooser: new PartitionChooser(partitions), senders }
    this.#topics.set(name, target)
    return target
  }

  #forgetReplaced(name: string): void {
    if (this.#client.view.known(name)?.id !== this.#topics.get(name)?.id) this.#topics.delete(name)
  }

  /** One partition's records, in as many parcels as their bytes need. */
  async #sendPart({ senders }: SendableTopic, topic: { name: string; id: string }, part: Part, signal: AbortSignal): Promise<readonly ParcelRun[]> {
    const { records, sizes, partition } = part
    const sender = senders.get(partition) ?? new PartitionSender(this.#client, topic, partition, this.#identify(topic.name, partition))
    senders.set(partition, sender)
    const sending: Promise<readonly ParcelRun[]>[] = []
    for (let from = 0; from < records.length; ) {
      let [to, bytes] = [from, 0]
      while (to < records.length && (to === from || bytes + (sizes[to] as number) <= this.#client.settings.maxBatchBytes)) bytes += sizes[to++] as number
      sending.push(sender.send(records.slice(from, to), bytes, signal))
      from = to
    }
    return (await Promise.all(sending)).flat()
  }
}

function divide(chooser: PartitionChooser, records: readonly OutgoingRecord[]): readonly Part[] {
  chooser.beginSend()
  const parts = new Map<number, Part>()
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as OutgoingRecord
    const bytes = recordSizeBound(record)
    const partition = chooser.choose(record, bytes)
    let part = parts.get(partition)
    if (part === undefined) parts.set(partition, (part = { partition, indexes: [], records: [], sizes: [] }))
    part.indexes.push(index)
    part.records.push(record)
    part.sizes.push(bytes)
  }
  return [...parts.values()]
}

function reportOf(count: number, parts: readonly Part[], runsOfParts: readonly (readonly ParcelRun[])[]): SendReport {
  const failed = runsOfParts.flat().find(({ outcome }) => outcome.kind !== 'stored')?.outcome
  const runs = (): PlacedRun[] => parts.flatMap((part, place) => placed(part, runsOfParts[place] ?? []))
  return {
    get stored() {
      const stored = new Array<RecordPosition | null>(count).fill(null)
      for (const { partition, indexes, outcome } of runs()) {
        if (outcome.kind === 'stored') indexes.forEach((index, order) => (stored[index] = { partition, offset: outcome.baseOffset + BigInt(order) }))
      }
      return stored
    },
    get unknown() {
      const unknown = runs().flatMap(({ indexes, outcome }) => (outcome.kind === 'unknown' ? indexes : []))
      return unknown.sort((one, other) => one - other)
    },
    failure: failed === undefined || failed.kind === 'stored' ? undefined : failed.error,
  }
}

/** Records of one partition that had the same outcome, as they stand in the send. */
interface PlacedRun {
  readonly partition: number
  readonly indexes: readonly number[]
  readonly outcome: SendOutcome
}

function placed({ partition, indexes }: Part, runs: readonly ParcelRun[]): PlacedRun[] {
  let next = 0
  return runs.map(({ count, outcome }) => {
    next += count
    return { partition, indexes: indexes.slice(next - count, next), outcome }
  })
}
