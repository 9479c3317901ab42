import { silentLogger, type Slice } from '@smart-whale/interfaces'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryBroker, createMemoryTransport, type MemoryBroker, type MemoryTransport } from '../memory/index.ts'
import { DeadLetterOutbox } from './dead-letter-outbox.ts'
import { SliceLetters } from './slice-letters.ts'
import { recut, type SliceRecord } from './slice-records.ts'

const { signal } = new AbortController()

let broker: MemoryBroker
let transport: MemoryTransport
let outbox: DeadLetterOutbox
beforeEach(async () => {
  broker = createMemoryBroker()
  transport = createMemoryTransport({ broker })
  await transport.start()
  await transport.topics.create('rides.dlq', { partitions: 1 })
  outbox = new DeadLetterOutbox({ transport, topic: 'rides', partition: 0, groupId: 'g', logger: silentLogger })
})
afterEach(async () => {
  await outbox.close()
  await transport.stop()
  await broker.stop()
})

/** A record that no store gets. */
function refused(offset: bigint): SliceRecord {
  const batch = { topic: 'rides', partition: 0, keyAt: () => null, valueAt: () => Buffer.from('bad'), headersAt: () => ({}), timestampAt: () => 7 }
  return { batch, index: 0, offset, row: null, refusal: { code: 'invalid', reason: 'bad' } } as unknown as SliceRecord
}

const EXCLUDED = [refused(3n), refused(5n)]
const SLICE: Slice = { firstOffset: 0n, lastOffset: 9n, excluded: [3n, 5n], token: '0-0-9-x', deadLettersFrom: { partition: 0, offset: 0n } }
const lettersOf = (recorded: Slice | null = null): SliceLetters => new SliceLetters(EXCLUDED, { deadLetters: outbox, recorded, signal })

/** What readers see. */
async function letters(): Promise<{ seen: number }> {
  const reader = await transport.openPartition('rides.dlq', 0)
  try {
    return { seen: (await reader.read({ maxBytes: 1e6, maxRecords: 100, maxWaitMs: 0 })).length }
  } finally {
    await reader.close()
  }
}

describe('the letters of an attempt at a slice', () => {
  it('go ahead unseen, and are there once they are sent', async () => {
    const attempt = lettersOf()
    attempt.sendAhead(SLICE)
    await attempt.open()
    const before = await letters()

    await attempt.send(SLICE)

    expect(before.seen).toBe(0)
    expect((await letters()).seen).toBe(2)
  })

  it('that are taken back are never seen, and those of the next attempt are there once', async () => {
    const refusedOnes = lettersOf()
    refusedOnes.sendAhead(SLICE)
    await refusedOnes.takeBack()
    const between = await letters()
    const next = lettersOf()
    next.sendAhead(SLICE)

    await next.send(SLICE)

    expect(between.seen).toBe(0)
    expect((await letters()).seen).toBe(2)
  })

  it('of a slice that is repeated do not go ahead: what is there is looked for first', async () => {
    await lettersOf().send(SLICE)
    const attempt = lettersOf(SLICE)
    attempt.sendAhead(SLICE)
    await attempt.open()

    await attempt.send(SLICE)

    expect((await letters()).seen).toBe(2)
  })

  it('of a slice that was cut anew are looked for from the beginning', async () => {
    await lettersOf().send(SLICE)
    const again = { ...recut(SLICE), deadLettersFrom: { partition: 0, offset: 2n } }
    const attempt = lettersOf()
    attempt.sendAhead(again)
    await attempt.open()

    await attempt.send(again)

    expect((await letters()).seen).toBe(2)
  })

  it('that went ahead by a right that another owner has taken since are refused when they are to count', async () => {
    const successor = new DeadLetterOutbox({ transport, topic: 'rides', partition: 0, groupId: 'g', logger: silentLogger })
    const attempt = lettersOf()
    attempt.sendAhead(SLICE)
    await attempt.open()
    await successor.open({ signal })

    const sending = attempt.send(SLICE)

    await expect(sending).rejects.toMatchObject({ code: 'ERR_MESSAGING_PRODUCER_FENCED' })
    expect((await letters()).seen).toBe(0)
    await successor.close()
  })
})
