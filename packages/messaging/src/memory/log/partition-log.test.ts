import { readdir } from 'node:fs/promises'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { append, openLog, partOf, readValues, withFolder } from '../../../test/support/log-fixture.ts'
import { FileSegmentBytes } from './file-segment-bytes.ts'
import { createMemorySegmentStore } from './memory-segment-store.ts'
import { PartitionLog, type PartitionLogOptions } from './partition-log.ts'
import { Segment } from './segment.ts'
import type { SegmentBytes } from './segment-bytes.ts'
import { TailCache } from './tail-cache.ts'

const openInMemory = (options: Partial<PartitionLogOptions> = {}): Promise<PartitionLog> =>
  PartitionLog.open({
    name: 'the log',
    store: createMemorySegmentStore(),
    segmentBytes: 1_000,
    frameBytes: 1_000,
    retention: { maxBytes: undefined, maxAgeMs: undefined },
    now: Date.now,
    ...options,
  })

/** A segment whose writes wait, and fail when told to. */
class SlowBytes implements SegmentBytes {
  readonly mayRot = false
  readonly writes: { readonly bytes: Buffer; readonly done: () => void; readonly fail: (error: Error) => void }[] = []
  #content: Buffer = Buffer.alloc(0)

  get size(): number {
    return this.#content.length
  }

  async append(bytes: Buffer): Promise<void> {
    await new Promise<void>((done, fail) => this.writes.push({ bytes, done, fail }))
    this.#content = Buffer.concat([this.#content, bytes])
  }

  read(position: number, length: number): Promise<Buffer> {
    return Promise.resolve(this.#content.subarray(position, position + length))
  }

  close = (): Promise<void> => Promise.resolve()
  remove = (): Promise<void> => Promise.resolve()
}

async function openSlow(): Promise<{ log: PartitionLog; bytes: SlowBytes }> {
  const bytes = new SlowBytes()
  const store = { ...createMemorySegmentStore(), open: () => Promise.resolve([new Segment({ bytes, baseOffset: 0, salt: 0, preambleBytes: 0 })]) }
  return { log: await openInMemory({ store, segmentBytes: 100_000 }), bytes }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('PartitionLog', () => {
  it('writes whatever waits as one, and shows nobody a record that is not yet stored', async () => {
    const { log, bytes } = await openSlow()

    const first = log.append(partOf(['a']))
    await turn()
    const others = ['b', 'c', 'd'].map((value) => log.append(partOf([value])))
    await turn()
    expect(bytes.writes).toHaveLength(1)
    expect(log.latest).toBe(0)
    bytes.writes[0]?.done()
    expect(await first.stored).toBe(0)
    await turn()
    expect(await readValues(log)).toEqual(['a'])
    expect(bytes.writes).toHaveLength(2)
    bytes.writes[1]?.done()

    expect(await Promise.all(others.map((other) => other.stored))).toEqual([1, 2, 3])
    expect(await readValues(log)).toEqual(['a', 'b', 'c', 'd'])
    expect(log.pendingBytes).toBe(0)
  })

  it('takes an append back only while it waits', async () => {
    const { log, bytes } = await openSlow()
    const writing = log.append(partOf(['a']))
    await turn()
    const waiting = log.append(partOf(['b']))

    expect(waiting.cancel()).toBe(true)
    expect(writing.cancel()).toBe(false)
    bytes.writes[0]?.done()
    await writing.stored
    await turn()

    expect(bytes.writes).toHaveLength(1)
    expect(await readValues(log)).toEqual(['a'])
  })

  it('fails the senders of a write that failed, and goes on with the next', async () => {
    const { log, bytes } = await openSlow()
    const failing = [log.append(partOf(['a'])), log.append(partOf(['b']))]
    await turn()

    bytes.writes[0]?.fail(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
    for (const { stored } of failing) await expect(stored).rejects.toMatchObject({ code: 'ERR_MESSAGING_LOG_FAILED', retryable: true })
    const next = log.append(partOf(['c']))
    await turn()
    bytes.writes[1]?.done()

    expect(await next.stored).toBe(0)
    expect(await readValues(log)).toEqual(['c'])
  })

  it('removes the oldest segments when there are more bytes than are to be kept', async () => {
    const log = await openInMemory({ retention: { maxBytes: 3_000, maxAgeMs: undefined } })

    for (let i = 0; i < 100; i++) await append(log, [`${i}`.padEnd(100, '.')])

    expect(log.storedBytes).toBeLessThanOrEqual(5_000)
    expect(log.earliest).toBeGreaterThan(60)
    expect(await readValues(log)).toHaveLength(100 - log.earliest)
    await expect(log.read({ offset: 0 })).rejects.toMatchObject({ code: 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE' })
  })

  it('removes what is too old, the segment that is written to included', () =>
    withFolder(async (folder) => {
      const clock = new FakeClock()
      const log = await openLog(folder, { segmentBytes: 500, now: () => clock.now(), retention: { maxBytes: undefined, maxAgeMs: 60_000 } })
      for (let i = 0; i < 10; i++) await append(log, ['x'.repeat(100)], clock.now())
      await clock.advance(50_000)
      await append(log, ['young'.padEnd(600, '.')], clock.now())

      await log.enforceRetention()
      expect(log.earliest).toBe(0)
      await clock.advance(20_000)
      await log.enforceRetention()
      expect(log.earliest).toBe(10)
      await clock.advance(60_000)
      await log.enforceRetention()

      expect([log.earliest, log.latest]).toEqual([11, 11])
      expect((await readdir(folder)).filter((name) => name.endsWith('.log'))).toHaveLength(1)
      expect(await append(log, ['next'])).toBe(11)
      await log.close()
    }))

  it('writes what waits before it closes, and takes nothing afterwards', () =>
    withFolder(async (folder) => {
      const log = await openLog(folder)
      const pending = Array.from({ length: 10 }, (_, i) => log.append(partOf([String(i)])))

      await log.close()

      expect(await Promise.all(pending.map(({ stored }) => stored))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      await expect(log.append(partOf(['late'])).stored).rejects.toMatchObject({ code: 'ERR_MESSAGING_NOT_CONNECTED' })
      const again = await openLog(folder)
      expect(await readValues(again)).toHaveLength(10)
      await again.close()
    }))

  it('finds any offset among frames of many sizes, larger than one read included', () =>
    withFolder(async (folder) => {
      const log = await openLog(folder, { segmentBytes: 3_000_000, frameBytes: 2_000_000 })
      const values = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(i % 7 === 0 ? 700_000 : i % 3 === 0 ? 70_000 : 10, '.'))
      for (let from = 0; from < values.length; from += 4) await append(log, values.slice(from, from + 4))

      for (let from = 0; from < values.length; from++) {
        const found = await log.read({ offset: from })
        expect(found?.chunk.firstOffset).toBe(from)
      }
      expect((await readValues(log)).map((value) => value.length)).toEqual(values.map((value) => value.length))
      await log.close()
    }))
})

describe.skipIf(process.platform !== 'linux')('a disk without space', () => {
  it('fails the write with a remedy, and takes no more when what is on it is not known', async () => {
    const full = new FileSegmentBytes({ path: '/dev/full', size: 0, durability: 'fsync', cache: new TailCache(0) })

    await expect(full.append(Buffer.from('x'))).rejects.toMatchObject({
      code: 'ERR_MESSAGING_LOG_FAILED',
      retryable: true,
      message: expect.stringContaining('free disk space') as string,
    })
    // A device can't be cut back to its size before.
    await expect(full.append(Buffer.from('x'))).rejects.toMatchObject({ code: 'ERR_MESSAGING_LOG_FAILED', retryable: false })
    await full.close()
  })
})
