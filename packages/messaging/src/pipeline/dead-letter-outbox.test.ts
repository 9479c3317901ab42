import { silentLogger } from '@smart-whale/interfaces'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEAD_LETTER_HEADERS } from '../dead-letter.ts'
import { createMemoryBroker, createMemoryTransport, type MemoryBroker, type MemoryTransport } from '../memory/index.ts'
import { DeadLetterOutbox } from './dead-letter-outbox.ts'
import type { SliceRecord } from './slice-records.ts'

const CALL = { signal: new AbortController().signal }

let broker: MemoryBroker
let transports: MemoryTransport[]
beforeEach(() => {
  broker = createMemoryBroker()
  transports = []
})
afterEach(async () => {
  for (const transport of transports) await transport.stop()
  await broker.stop()
})

/** The outbox of one owner of partition 0. */
async function outboxOfOwner(partition = 0): Promise<{ outbox: DeadLetterOutbox; transport: MemoryTransport }> {
  const transport = createMemoryTransport({ broker })
  transports.push(transport)
  await transport.start()
  await transport.topics.create('rides.dlq', { partitions: 1 })
  return { outbox: new DeadLetterOutbox({ transport, topic: 'rides', partition, groupId: 'g', logger: silentLogger }), transport }
}

/** A record that no store gets. */
function refused(offset: bigint, partition = 0): SliceRecord {
  const batch = { topic: 'rides', partition, keyAt: () => null, valueAt: () => Buffer.from('bad'), headersAt: () => ({}), timestampAt: () => 7 }
  return { batch, index: 0, offset, row: null, refusal: { code: 'invalid', reason: 'bad' } } as unknown as SliceRecord
}

/** The offsets that there are letters of, in their order. */
async function lettersIn(transport: MemoryTransport): Promise<string[]> {
  const reader = await transport.openPartition('rides.dlq', 0)
  const batch = await reader.read({ maxBytes: 1e6, maxRecords: 100, maxWaitMs: 0 })
  await reader.close()
  return Array.from({ length: batch.length }, (_, index) => Buffer.from(batch.headersAt(index)[DEAD_LETTER_HEADERS.offset] ?? []).toString())
}

describe('the dead letters of a partition', () => {
  it('are refused from an owner that fell asleep before it sent them, once its successor has looked', async () => {
    const [sleeping, successor] = [await outboxOfOwner(), await outboxOfOwner()]
    const at = await sleeping.outbox.position(CALL)
    const early = await sleeping.outbox.open(CALL)
    // Here it makes sure that the partition is its own, and falls asleep.

    const late = await successor.outbox.open(CALL)
    await late.sendMissing([refused(3n), refused(5n)], at, CALL)
    const waking = early.begin([refused(3n), refused(5n)], at, CALL).commit(CALL)

    await expect(waking).rejects.toMatchObject({ code: 'ERR_MESSAGING_PRODUCER_FENCED' })
    expect(await lettersIn(successor.transport)).toEqual(['3', '5'])
  })

  it('are found by a successor when they were sent before it looked', async () => {
    const [before, successor] = [await outboxOfOwner(), await outboxOfOwner()]
    const at = await before.outbox.position(CALL)
    await (await before.outbox.open(CALL)).begin([refused(3n)], at, CALL).commit(CALL)

    await (await successor.outbox.open(CALL)).sendMissing([refused(3n), refused(5n)], at, CALL)

    expect(await lettersIn(successor.transport)).toEqual(['3', '5'])
    expect(await successor.outbox.position(CALL)).toEqual({ partition: 0, offset: 2n })
  })

  it('go on after a right that was lost was taken again', async () => {
    const [one, other] = [await outboxOfOwner(), await outboxOfOwner()]
    const at = await one.outbox.position(CALL)
    const lost = await one.outbox.open(CALL)
    await other.outbox.open(CALL)
    await expect(lost.begin([refused(3n)], at, CALL).commit(CALL)).rejects.toMatchObject({ code: 'ERR_MESSAGING_PRODUCER_FENCED' })

    await (await one.outbox.open(CALL)).sendMissing([refused(3n)], at, CALL)

    expect(await lettersIn(one.transport)).toEqual(['3'])
  })

  it('of one partition keep out nobody of another', async () => {
    const [zero, one] = [await outboxOfOwner(0), await outboxOfOwner(1)]
    const [ofZero, ofOne] = [await zero.outbox.open(CALL), await one.outbox.open(CALL)]

    await ofZero.begin([refused(3n)], await zero.outbox.position(CALL), CALL).commit(CALL)
    await ofOne.begin([refused(4n, 1)], await one.outbox.position(CALL), CALL).commit(CALL)
    await ofZero.begin([refused(8n)], await zero.outbox.position(CALL), CALL).commit(CALL)

    expect(await lettersIn(zero.transport)).toEqual(['3', '4', '8'])
  })
})
