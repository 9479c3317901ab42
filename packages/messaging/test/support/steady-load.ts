import assert from 'node:assert/strict'
import { PartialSendError } from '../../src/errors.ts'
import type { MessagingTransport, PartitionReader } from '../../src/transport.ts'
import { READ, readTopic } from '../contract/subject.ts'

/** What the caller of a send was told of a record. */
type Told = 'stored' | 'unknown' | 'not stored'

const PAUSE_MS = 2

/** Sends to each partition of a topic, one send after the other, and remembers what it was told of each record. */
export class SteadySender {
  readonly told = new Map<string, Told>()
  /** Whatever a send failed with. */
  readonly failures: unknown[] = []
  readonly #transport: MessagingTransport
  readonly #topic: string
  readonly #loops: Promise<void>[]
  #isStopping = false

  constructor(transport: MessagingTransport, topic: string, partitions: number) {
    this.#transport = transport
    this.#topic = topic
    this.#loops = Array.from({ length: partitions }, (_, partition) => this.#sendTo(partition))
  }

  get stored(): number {
    return [...this.told.values()].filter((told) => told === 'stored').length
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#loops)
  }

  async #sendTo(partition: number): Promise<void> {
    for (let next = 0; !this.#isStopping; next += 5) {
      const values = Array.from({ length: 5 }, (_, index) => `${partition}/${next + index}`)
      const records = values.map((value) => ({ value, key: `key of ${partition}`, partition }))
      await this.#transport.send(this.#topic, records, { timeoutMs: 40_000 }).then(
        () => values.forEach((value) => this.told.set(value, 'stored')),
        (error: unknown) => this.#note(values, error),
      )
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  #note(values: readonly string[], error: unknown): void {
    this.failures.push(error)
    const partial = PartialSendError.isInstance(error) ? error : null
    for (const [index, value] of values.entries()) {
      if (partial?.unknown.includes(index) === true) this.told.set(value, 'unknown')
      else this.told.set(value, partial !== null && partial.stored[index] !== null ? 'stored' : 'not stored')
    }
  }
}

/** Reads as a member of a group, commits after each batch, and remembers every time that it had a partition. */
export class HoldRecorder {
  /** Offset by offset, what was handed out while a partition was held once. */
  readonly holds: { readonly partition: number; readonly values: string[]; readonly offsets: bigint[] }[] = []
  readonly seen = new Set<string>()

  readonly onPartition = async (reader: PartitionReader): Promise<void> => {
    const hold = { partition: reader.partition, values: [] as string[], offsets: [] as bigint[] }
    this.holds.push(hold)
    while (!reader.signal.aborted) {
      const batch = await reader.read({ ...READ, maxWaitMs: 500 })
      for (let index = 0; index < batch.length; index++) {
        const value = Buffer.from(batch.valueAt(index) ?? []).toString()
        hold.values.push(value)
        hold.offsets.push(batch.offsetAt(index))
        this.seen.add(value)
      }
      if (batch.length > 0) await reader.commit(batch.nextOffset, { timeoutMs: 40_000 })
    }
  }

  /** How often records were handed out again, because they had not been committed when their partition went to another owner. */
  get again(): number {
    return this.holds.reduce((sum, { values }) => sum + values.length, 0) - this.seen.size
  }
}

/** Each record is there once that was called stored, none that was called not stored, and each partition's lie in their order. */
export async function checkStored(transport: MessagingTransport, topic: string, { told }: SteadySender): Promise<void> {
  const copies = new Map<string, number>()
  const inOrder = new Map<number, number>()
  for (const { value, partition } of await readTopic(transport, topic)) {
    copies.set(value ?? '', (copies.get(value ?? '') ?? 0) + 1)
    const number = Number(value?.split('/')[1])
    if (told.get(value ?? '') === 'stored') {
      assert.ok(number > (inOrder.get(partition) ?? -1), `partition ${partition} has ${number} behind ${inOrder.get(partition)}`)
      inOrder.set(partition, number)
    }
  }
  for (const [value, outcome] of told) {
    const count = copies.get(value) ?? 0
    if (outcome === 'stored') assert.equal(count, 1, `${value} was acknowledged, and is there ${count} times`)
    if (outcome === 'not stored') assert.equal(count, 0, `${value} was refused, and is there ${count} times`)
    assert.ok(count <= 1, `${value} is there ${count} times`)
  }
}

/** Every record that is in the topic was handed out, none of it twice while a partition was held once, and none was passed over. */
export function checkRead(recorders: readonly HoldRecorder[], { told }: SteadySender): void {
  const seen = new Set(recorders.flatMap((recorder) => [...recorder.seen]))
  for (const [value, outcome] of told) if (outcome === 'stored') assert.ok(seen.has(value), `${value} was never handed out`)
  for (const { partition, offsets } of recorders.flatMap(({ holds }) => holds)) {
    for (const [index, offset] of offsets.entries()) {
      assert.equal(offset, (offsets[0] ?? 0n) + BigInt(index), `partition ${partition}: offset ${offset} is the ${index}th from ${offsets[0]} on`)
    }
  }
}
