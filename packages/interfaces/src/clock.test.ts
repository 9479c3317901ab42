import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from './clock.ts'

describe('systemClock', () => {
  afterEach(() => vi.useRealTimers())

  it('goes on by itself, and never back', () => {
    const before = performance.now()
    const readings = Array.from({ length: 1_000 }, () => systemClock.monotonic())
    expect(readings).toEqual([...readings].sort((one, other) => one - other))
    expect(readings[0]).toBeGreaterThanOrEqual(before)
    expect(readings.at(-1)).toBeLessThanOrEqual(performance.now())
  })

  it('follows the timers and times that a test puts in place of the machine’s', () => {
    vi.useFakeTimers({ now: 1_000_000 })
    const began = { now: systemClock.now(), monotonic: systemClock.monotonic() }
    const fired = vi.fn()
    systemClock.setTimeout(fired, 5_000)
    vi.advanceTimersByTime(4_999)
    expect(fired).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(fired).toHaveBeenCalledOnce()
    expect(systemClock.now() - began.now).toBe(5_000)
    expect(systemClock.monotonic() - began.monotonic).toBe(5_000)
  })
})
