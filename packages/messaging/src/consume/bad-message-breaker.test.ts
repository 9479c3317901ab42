import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { BadMessageBreaker, type BadMessageBreakerOptions } from './bad-message-breaker.ts'

const never = new AbortController().signal

function bench(options: BadMessageBreakerOptions = {}) {
  const clock = new FakeClock()
  const events: string[] = []
  const breaker = new BadMessageBreaker({ window: 10, pauseMs: 1_000, ...options }, { onHalt: (share) => events.push(`halt ${share}`), onResume: () => events.push('resume') }, clock)
  const bad = (times: number): boolean[] => Array.from({ length: times }, () => breaker.admitBad())
  return { breaker, clock, events, bad }
}

describe('the breaker of bad messages', () => {
  it('lets bad ones be given up while they are few, or while there were too few messages to tell', () => {
    const { breaker, bad, events } = bench()

    expect(bad(9)).not.toContain(false)
    breaker.countGood(10)
    expect(bad(5)).not.toContain(false)
    expect(events).toEqual([])
  })

  it('halts at the first one too many, and lets nothing be given up any more', () => {
    const { breaker, bad, events } = bench()
    breaker.countGood(4)

    expect(bad(6)).toEqual([true, true, true, true, true, false])
    expect(breaker.isHalted).toBe(true)
    expect(bad(1)).toEqual([false])
    expect(events).toEqual(['halt 0.6'])
  })

  it('lets one message be tried after the pause, the others wait for what becomes of it', async () => {
    const { breaker, bad, clock, events } = bench()
    bad(10)
    const entered: string[] = []
    const waiting = [1, 2, 3].map(() => breaker.enter(never).then((pass) => entered.push(pass)))

    await clock.advance(999)
    expect(entered).toEqual([])
    await clock.advance(2)
    expect(entered).toEqual(['probe'])
    breaker.probed(true)
    await clock.advance(900)
    expect(entered).toEqual(['probe'])
    await clock.advance(200)
    expect(entered).toEqual(['probe', 'probe'])
    breaker.probed(false)
    await clock.advance(200)
    await Promise.all(waiting)

    expect(entered).toEqual(['probe', 'probe', 'free'])
    expect(events).toEqual(['halt 1', 'resume'])
    expect(bad(9)).not.toContain(false)
  })

  it('gives the trial to another when the first came to no result, and ends the wait with the subscription', async () => {
    const { breaker, bad, clock } = bench()
    bad(10)
    const gone = new AbortController()
    const leaving = breaker.enter(gone.signal)
    await clock.advance(1_000)
    expect(await leaving).toBe('probe')
    const ended = breaker.enter(gone.signal)
    gone.abort()
    await expect(ended).rejects.toMatchObject({ code: 'ERR_ABORTED' })

    breaker.probeEnded()

    expect(await breaker.enter(never)).toBe('probe')
  })

  it.each([{ maxBadShare: 0 }, { maxBadShare: 1.1 }, { window: 0 }, { window: 1.5 }, { pauseMs: 0 }])('refuses %o', (options) => {
    expect(() => bench(options)).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_OPTION' }) as Error)
  })
})
