import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { until } from '../../test/contract/subject.ts'
import type { GroupMembership, PartitionReader } from '../transport.ts'
import { createMemoryBroker } from './broker.ts'
import { createMemoryTransport, type MemoryTransport } from './transport.ts'

const PARTITIONS = 4

/** What the members of a group did, and whether two ever had one partition. */
class Witness {
  readonly handled = new Map<string, number>()
  readonly overlaps: string[] = []
  readonly #holders = new Map<number, PartitionReader>()

  readonly onPartition = async (reader: PartitionReader): Promise<void> => {
    const other = this.#holders.get(reader.partition)
    if (other !== undefined) this.overlaps.push(`partition ${reader.partition}`)
    this.#holders.set(reader.partition, reader)
    try {
      while (!reader.signal.aborted) {
        const batch = await reader.read({ maxBytes: 1_000_000, maxRecords: 7, maxWaitMs: 1_000 })
        // Something is always going on while a member comes or goes.
        await new Promise((resolve) => setImmediate(resolve))
        for (let i = 0; i < batch.length; i++) this.#count(`${batch.partition}/${batch.offsetAt(i)}`)
        await reader.commit(batch.nextOffset)
      }
    } finally {
      if (this.#holders.get(reader.partition) === reader) this.#holders.delete(reader.partition)
    }
  }

  /** A process that died holds nothing any more, whatever its code still believes. */
  forget(): void {
    this.#holders.clear()
  }

  #count(position: string): void {
    this.handled.set(position, (this.handled.get(position) ?? 0) + 1)
  }
}

type Step = 'join' | 'leave' | 'crash' | 'send'

async function play(steps: readonly Step[]): Promise<{ witness: Witness; sent: number }> {
  const broker = createMemoryBroker()
  const sender = createMemoryTransport({ broker })
  const members: { transport: MemoryTransport; membership: GroupMembership }[] = []
  const witness = new Witness()
  let sent = 0
  const join = async (): Promise<void> => {
    const transport = createMemoryTransport({ broker })
    await transport.start()
    members.push({ transport, membership: await transport.join({ groupId: 'g', topics: ['t'], onPartition: witness.onPartition }) })
  }
  const act: Record<Step, () => Promise<void>> = {
    join,
    leave: async () => void (await members.shift()?.membership.leave()),
    crash: async () => {
      const dying = members.shift()
      if (dying === undefined) return
      witness.forget()
      dying.transport.crash()
    },
    send: async () => {
      await sender.send('t', Array.from({ length: 40 }, (_, i) => ({ partition: i % PARTITIONS, value: 'x' })))
      sent += 40
    },
  }
  await sender.start()
  await sender.topics.create('t', { partitions: PARTITIONS })
  for (const step of steps) await act[step]()
  await join()
  await until('everything is handled', () => witness.handled.size === sent)
  for (const { transport } of members) await transport.stop()
  await sender.stop()
  await broker.stop()
  return { witness, sent }
}

describe('a consumer group', () => {
  it('loses nothing and has one owner a partition, however members come, go and die', async () => {
    const steps = fc.array(fc.constantFrom<Step>('join', 'join', 'leave', 'crash', 'send', 'send'), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const { witness, sent } = await play(script)

        expect(witness.overlaps).toEqual([])
        expect(witness.handled.size).toBe(sent)
      }),
      { numRuns: 40 },
    )
  })

  it('handles each record once when nobody dies', async () => {
    const steps = fc.array(fc.constantFrom<Step>('join', 'leave', 'send'), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const { witness } = await play(script)

        expect([...witness.handled.values()].filter((times) => times !== 1)).toEqual([])
      }),
      { numRuns: 40 },
    )
  })
})
