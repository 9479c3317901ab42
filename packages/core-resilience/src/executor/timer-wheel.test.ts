import { type Clock, systemClock, type TimerHandle } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TimerEntry, TimerWheel, wheelOf } from './timer-wheel.ts'

class Noting extends TimerEntry {
  readonly #expire: () => void

  constructor(expire: () => void) {
    super()
    this.#expire = expire
  }

  expire(): void {
    this.#expire()
  }
}

describe('a timer wheel on the machine’s clock', () => {
  const delays: number[] = []
  const expired: number[] = []
  let wheel: TimerWheel

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    delays.length = 0
    expired.length = 0
    wheel = new TimerWheel(systemClock)
    const set = globalThis.setTimeout
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((callback: () => void, delayMs: number) => {
      delays.push(delayMs)
      return set(callback, delayMs)
    }) as typeof setTimeout)
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  const addDueIn = (ms: number): TimerEntry => {
    const nowMs = systemClock.monotonic()
    const entry = new Noting(() => expired.push(systemClock.monotonic() - nowMs - ms))
    wheel.add(entry, nowMs + ms, nowMs)
    return entry
  }

  it('sets one timer for calls in quick succession, and leaves none', () => {
    for (let call = 0; call < 100; call++) wheel.remove(addDueIn(1_000))

    expect([delays, vi.getTimerCount()]).toEqual([[20], 1])
    vi.advanceTimersByTime(20)
    expect([delays, vi.getTimerCount(), expired]).toEqual([[20], 0, []])
    wheel.remove(addDueIn(1_000))
    expect(delays).toEqual([20, 20])
  })

  it('looks once whether an entry stays, and then sleeps until it is due', () => {
    addDueIn(1_000)
    vi.advanceTimersByTime(999)
    expect([delays, expired]).toEqual([[20, 980], []])

    vi.advanceTimersByTime(1)
    expect([expired, wheel.size, vi.getTimerCount()]).toEqual([[0], 0, 0])
  })

  it('leaves no timer that is set for far when the last entry goes', () => {
    const entry = addDueIn(1_000)
    vi.advanceTimersByTime(20)
    expect(vi.getTimerCount()).toBe(1)

    wheel.remove(entry)

    expect([vi.getTimerCount(), wheel.size]).toEqual([0, 0])
    vi.advanceTimersByTime(2_000)
    expect(expired).toEqual([])
  })

  it.each([[20], [19], [1], [0]])('sets its timer for what is due within %i ms at once', (ms) => {
    addDueIn(ms)
    expect(delays).toEqual([ms])
    vi.advanceTimersByTime(ms)
    expect(expired).toEqual([0])
  })

  it('never is early by a fraction of a millisecond', () => {
    addDueIn(0.25)
    expect(delays).toEqual([1])
    vi.advanceTimersByTime(1)
    expect(expired).toEqual([0.75])
  })

  it('sets its timer anew for what is due earlier, and leaves it for what is due later', () => {
    addDueIn(15)
    addDueIn(18)
    expect([delays, vi.getTimerCount()]).toEqual([[15], 1])
    addDueIn(5)
    expect([delays, vi.getTimerCount()]).toEqual([[15, 5], 1])

    vi.advanceTimersByTime(18)

    expect([expired, delays, vi.getTimerCount()]).toEqual([[0, 0, 0], [15, 5, 10, 3], 0])
  })

  it('takes what is overdue at once', () => {
    addDueIn(-5)
    expect(delays).toEqual([0])
  })

  it('takes an entry out but once', () => {
    const entries = [addDueIn(10), addDueIn(10), addDueIn(10)]
    for (const entry of [entries[1]!, entries[1]!, entries[0]!]) wheel.remove(entry)

    expect(wheel.size).toBe(1)
    vi.advanceTimersByTime(10)
    expect([expired, wheel.size]).toEqual([[0], 0])
    wheel.remove(entries[2]!)
    expect(wheel.size).toBe(0)
  })
})

describe('a timer wheel on another clock', () => {
  it('leaves no timer when the last entry goes, and sets none anew for one that is later', () => {
    const set: number[] = []
    const fake = new FakeClock()
    const clock: Clock = {
      now: () => fake.now(),
      monotonic: () => fake.monotonic(),
      setTimeout: (callback, delayMs): TimerHandle => {
        set.push(delayMs)
        return fake.setTimeout(callback, delayMs)
      },
      clearTimeout: (handle) => fake.clearTimeout(handle as never),
    }
    const wheel = new TimerWheel(clock)
    const [early, late] = [new Noting(() => {}), new Noting(() => {})]
    wheel.add(early, 0.5, 0)
    wheel.add(late, 1_000, 0)
    expect([set, fake.pendingTimers, wheel.size]).toEqual([[0.5], 1, 2])

    wheel.remove(early)
    wheel.remove(late)

    expect([fake.pendingTimers, wheel.size]).toEqual([0, 0])
  })

  it('has those that are due at the same time expire in the order in which they came, whatever was taken out between', async () => {
    const clock = new FakeClock()
    const wheel = new TimerWheel(clock)
    const expired: number[] = []
    const entries = Array.from({ length: 6 }, (_, index) => new Noting(() => expired.push(index)))
    for (const entry of entries) wheel.add(entry, 100, 0)
    for (const index of [0, 3, 5]) wheel.remove(entries[index]!)

    await clock.advance(100)

    expect(expired).toEqual([1, 2, 4])
  })

  it('lets an entry that expires put itself in again', async () => {
    const clock = new FakeClock()
    const wheel = new TimerWheel(clock)
    const times: number[] = []
    const entry: TimerEntry = new Noting(() => {
      times.push(clock.monotonic())
      if (times.length < 3) wheel.add(entry, clock.monotonic() + 70, clock.monotonic())
    })
    wheel.add(entry, 70, 0)

    await clock.advance(500)

    expect([times, clock.pendingTimers]).toEqual([[70, 140, 210], 0])
  })

  it('is one for all that share the clock', () => {
    const clock = new FakeClock()
    expect(wheelOf(clock)).toBe(wheelOf(clock))
    expect(wheelOf(new FakeClock())).not.toBe(wheelOf(clock))
  })
})

describe('a timer wheel on any clock', () => {
  it('lets one that expires take out another that is due', async () => {
    const clock = new FakeClock()
    const wheel = new TimerWheel(clock)
    const expired: string[] = []
    const second = new Noting(() => expired.push('second'))
    const first = new Noting(() => {
      expired.push('first')
      wheel.remove(second)
    })
    wheel.add(first, 5, 0)
    wheel.add(second, 5, 0)

    await clock.advance(5)

    expect(expired).toEqual(['first'])
    expect([wheel.size, clock.pendingTimers]).toEqual([0, 0])
  })

  it('keeps entries in order when the wheel is never empty for weeks', async () => {
    const clock = new FakeClock()
    const wheel = new TimerWheel(clock)
    const expired: number[] = []
    const day = 24 * 3_600_000
    for (let index = 0; index < 40; index++) {
      const dueAt = clock.monotonic() + 20 * day
      wheel.add(new Noting(() => expired.push(clock.monotonic() - dueAt)), dueAt, clock.monotonic())
      await clock.advance(day + 0.5)
    }
    await clock.advance(20 * day)

    expect(expired).toHaveLength(40)
    expect(expired.every((late) => late === 0)).toBe(true)
  })
})
