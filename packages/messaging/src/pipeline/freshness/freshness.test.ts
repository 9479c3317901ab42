import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SliceState } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import type { PipelineProgress } from '../pipeline-progress.ts'
import { createFreshness, NotFreshError } from './freshness.ts'
import { decodeFreshnessToken, encodeFreshnessToken } from './freshness-token.ts'

const state = (nextOffset: bigint): SliceState => ({ nextOffset, inFlight: null, epoch: 1n, owner: 'a' })

describe('a freshness token', () => {
  it('comes back as what it stands for', () => {
    const offsets = fc.array(fc.tuple(fc.nat(999), fc.bigInt(0n, 2n ** 63n - 1n)), { minLength: 1, maxLength: 50 }).map((entries) => new Map(entries))
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), fc.string({ maxLength: 100 }), fc.string({ maxLength: 40 }), offsets, (pipeline, topic, topicId, positions) => {
        const target = { pipeline, topic, topicId, offsets: positions }
        expect(decodeFreshnessToken(encodeFreshnessToken(target))).toEqual(target)
      }),
    )
  })

  it('is refused when it was cut or changed, wherever', () => {
    const token = encodeFreshnessToken({ pipeline: 'rides', topic: 'rides', topicId: 'x', offsets: new Map([[0, 12345n], [3, 7n]]) })
    for (let at = 0; at < token.length; at++) {
      const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
      // The last character may carry bits that stand for nothing.
      if (!Buffer.from(changed.slice(5), 'base64url').equals(Buffer.from(token.slice(5), 'base64url')) || at < 5) expect(() => decodeFreshnessToken(changed)).toThrow(/no freshness token/)
      expect(() => decodeFreshnessToken(token.slice(0, at))).toThrow(/no freshness token/)
    }
  })

  it('is refused when it is something else, or endless', () => {
    for (const text of ['', 'swf1.', 'swf2.AAAA', 'x', `swf1.${'A'.repeat(20_000)}`, 'swf1.!!!!']) expect(() => decodeFreshnessToken(text)).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_FRESHNESS_TOKEN', status: 400 }))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void expect(() => decodeFreshnessToken(`swf1.${Buffer.from(bytes).toString('base64url')}`)).toThrow(/no freshness token/)))
  })
})

function setup(options: { maxWaiting?: number } = {}) {
  const clock = new FakeClock()
  const done = new Map<number, bigint>()
  let asked = 0
  const progress: PipelineProgress = {
    inspect: async ({ partition }) => {
      asked++
      const nextOffset = done.get(partition)
      return nextOffset === undefined ? null : state(nextOffset)
    },
  }
  const freshness = createFreshness({ progress, clock, pollMs: 100, ...options })
  const token = encodeFreshnessToken({ pipeline: 'rides', topic: 'rides', topicId: 't', offsets: new Map([[0, 9n], [2, 4n]]) })
  return { clock, done, freshness, token, asked: () => asked }
}

describe('waitUntilStored', () => {
  it('resolves at once when all is stored already', async () => {
    const { freshness, done, token, clock } = setup()
    done.set(0, 10n).set(2, 5n)

    expect(await freshness.waitUntilStored(token)).toEqual({ waitedMs: 0 })
    expect(clock.pendingTimers).toBe(0)
  })

  it('resolves when the last partition is there, and not before', async () => {
    const { freshness, done, token, clock } = setup()
    let isDone = false
    const waiting = freshness.waitUntilStored(token).then((result) => {
      isDone = true
      return result
    })
    await clock.advance(1000)
    done.set(0, 10n).set(2, 4n)
    await clock.advance(1000)
    expect(isDone).toBe(false)
    done.set(2, 5n)
    await clock.advance(100)

    expect((await waiting).waitedMs).toBeLessThanOrEqual(2100)
    expect(clock.pendingTimers).toBe(0)
  })

  it('looks at once when it is told that something was stored', async () => {
    const { freshness, done, token, clock } = setup()
    const waiting = freshness.waitUntilStored(token)
    await clock.advance(500)
    done.set(0, 10n).set(2, 5n)
    freshness.notify()

    expect(await waiting).toEqual({ waitedMs: 500 })
  })

  it('says how far it got when the time is up', async () => {
    const { freshness, done, token, clock } = setup()
    done.set(0, 10n).set(2, 3n)
    const failure = await clock.runUntilSettled(freshness.waitUntilStored(token, { timeoutMs: 300 }).catch((error: unknown) => error))

    expect(NotFreshError.isInstance(failure)).toBe(true)
    expect(failure).toMatchObject({ code: 'ERR_MESSAGING_NOT_FRESH', status: 504, retryable: true, report: { stored: false, behind: [{ partition: 2, wanted: 4n, nextOffset: 3n }] } })
    expect(clock.pendingTimers).toBe(0)
  })

  it('is given up by a signal, and leaves nothing behind', async () => {
    const { freshness, token, clock } = setup()
    const caller = new AbortController()
    const waiting = freshness.waitUntilStored(token, { signal: caller.signal })
    await clock.advance(0)
    caller.abort()

    await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('asks once for all who wait for the same partitions, and lets no more in than it may', async () => {
    const { freshness, token, clock, asked } = setup({ maxWaiting: 50 })
    const waiting = Array.from({ length: 50 }, () => freshness.waitUntilStored(token, { timeoutMs: 5 }).catch((error: unknown) => error))

    await expect(freshness.waitUntilStored(token)).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOO_MANY_WAIT', status: 503 })
    await clock.advance(0)
    expect(asked()).toBe(2)
    await clock.runUntilSettled(Promise.all(waiting))
  })
})
