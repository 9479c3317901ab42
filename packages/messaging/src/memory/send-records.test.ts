import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { PartialSendError } from '../errors.ts'
import { MemorySegmentBytes } from './log/memory-segment-bytes.ts'
import { createMemorySegmentStore } from './log/memory-segment-store.ts'
import { PartitionLog } from './log/partition-log.ts'
import { Segment } from './log/segment.ts'
import { brokerSettings } from './options.ts'
import { sendRecords } from './send-records.ts'
import { Topic } from './topic.ts'

/** What becomes of a partition's writes. */
type Fate = 'works' | 'fails' | 'hangs' | Promise<void>

class FatefulBytes extends MemorySegmentBytes {
  readonly #fate: Fate

  constructor(fate: Fate) {
    super()
    this.#fate = fate
  }

  override append(bytes: Buffer): Promise<void> {
    if (this.#fate === 'fails') return Promise.reject(Object.assign(new Error('disk'), { code: 'ENOSPC' }))
    if (this.#fate === 'hangs') return new Promise(() => {})
    return this.#fate === 'works' ? super.append(bytes) : this.#fate.then(() => super.append(bytes))
  }
}

async function topicWith(...fates: Fate[]): Promise<Topic> {
  const logs = fates.map((fate) =>
    PartitionLog.open({
      name: 'a partition',
      store: {
        ...createMemorySegmentStore(),
        open: () => Promise.resolve([new Segment({ bytes: new FatefulBytes(fate), baseOffset: 0, salt: 0, preambleBytes: 0 })]),
      },
      segmentBytes: 10_000,
      frameBytes: 10_000,
      retention: { maxBytes: undefined, maxAgeMs: undefined },
      now: Date.now,
    }),
  )
  const description = { name: 'fates', id: 'id', partitions: fates.length, replication: 1, configs: {} }
  return new Topic(description, await Promise.all(logs), brokerSettings())
}

const records = [0, 1, 0, 1].map((partition, i) => ({ partition, value: String(i) }))

describe('a send to several partitions', () => {
  it('names the records that were stored when a part of it failed', async () => {
    const error = await sendRecords(await topicWith('works', 'fails'), records, new FakeClock(), undefined).catch((thrown: unknown) => thrown)

    expect(PartialSendError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({
      code: 'ERR_MESSAGING_PARTIAL_SEND',
      retryable: true,
      stored: [{ partition: 0, offset: 0n }, null, { partition: 0, offset: 1n }, null],
      cause: { code: 'ERR_MESSAGING_LOG_FAILED' },
    })
  })

  it('names them too when time is up for the rest', async () => {
    const clock = new FakeClock()
    const sending = sendRecords(await topicWith('hangs', 'works'), records, clock, { timeoutMs: 500 }).catch((thrown: unknown) => thrown)

    expect(await clock.runUntilSettled(sending)).toMatchObject({
      code: 'ERR_MESSAGING_PARTIAL_SEND',
      stored: [null, { partition: 1, offset: 0n }, null, { partition: 1, offset: 1n }],
      cause: { code: 'ERR_MESSAGING_TIMEOUT' },
    })
  })

  it('takes back what still waited when its time was up', async () => {
    const clock = new FakeClock()
    const gate = Promise.withResolvers<void>()
    const topic = await topicWith(gate.promise)
    const first = sendRecords(topic, [{ value: 'being written' }], clock, { timeoutMs: 60_000 })
    await clock.advance(0)
    const second = sendRecords(topic, [{ value: 'waiting' }], clock, { timeoutMs: 500 }).catch((error: unknown) => error)

    await clock.advance(500)
    expect(await second).toMatchObject({ code: 'ERR_MESSAGING_TIMEOUT' })
    gate.resolve()

    expect(await first).toEqual([{ partition: 0, offset: 0n }])
    await topic.close()
    expect(topic.logs[0]?.latest).toBe(1)
  })

  it('fails as a whole when nothing was stored', async () => {
    const sending = sendRecords(await topicWith('fails', 'fails'), records, new FakeClock(), undefined)

    await expect(sending).rejects.toMatchObject({ code: 'ERR_MESSAGING_LOG_FAILED', retryable: true })
  })
})
