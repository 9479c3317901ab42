import { systemClock } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { Comebacks } from './comebacks.ts'

const never = new AbortController().signal

describe('partitions that wait', () => {
  it('go on when one of them does', async () => {
    const comebacks = new Comebacks()
    const waiting = [1, 2, 3].map(() => comebacks.pause(60_000, { signal: never, clock: systemClock }))

    comebacks.announce()

    await Promise.all(waiting)
  })

  it('go on by themselves when their time has passed, and know nothing of what was announced before', async () => {
    const clock = new FakeClock()
    const comebacks = new Comebacks()
    comebacks.announce()
    let isOver = false
    const waiting = comebacks.pause(5000, { signal: never, clock }).then(() => (isOver = true))

    await clock.advance(4999)
    const before = isOver
    await clock.advance(1)
    await waiting

    expect(before).toBe(false)
  })

  it('end when the partition is revoked', async () => {
    const revoked = new AbortController()
    const waiting = new Comebacks().pause(60_000, { signal: revoked.signal, clock: systemClock })

    revoked.abort()

    await expect(waiting).rejects.toThrow()
  })
})
