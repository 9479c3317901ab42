import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { RetryWait } from './retry-wait.ts'

const HOUR_MS = 3_600_000
const DELAY_MS = 60_000

/** Lets records wait, one after the other as in their partition; answers how long each did. */
async function waits(clock: FakeClock, wait: RetryWait, dues: readonly number[]): Promise<number[]> {
  const waited: number[] = []
  for (const due of dues) {
    const waitMs = Math.max(0, wait.before(due))
    waited.push(waitMs)
    await clock.advance(waitMs)
  }
  return waited
}

describe('records of a retry topic', () => {
  it('wait until each is due', async () => {
    const clock = new FakeClock()
    const due = clock.now() + DELAY_MS

    expect(await waits(clock, new RetryWait(DELAY_MS, clock), [due - 100_000, due, due + 5, due + 2000])).toEqual([0, DELAY_MS, 5, 1995])
  })

  it.each([
    ['our clock is set back by an hour while they wait', -HOUR_MS, 0],
    ['the clock of whoever put them there is an hour ahead', 0, HOUR_MS],
  ])('wait for the delay once, not once each, when %s', async (_what, jumpMs, aheadMs) => {
    const clock = new FakeClock()
    const due = clock.now() + DELAY_MS + aheadMs
    const wait = new RetryWait(DELAY_MS, clock)
    clock.jumpWallClock(jumpMs)

    const waited = await waits(clock, wait, [due, due + 5, due + 5, due + 20])

    expect(waited).toEqual([DELAY_MS, 5, 0, 15])
  })

  it('wait as they should again once the clock was set right', async () => {
    const clock = new FakeClock()
    const wait = new RetryWait(DELAY_MS, clock)
    clock.jumpWallClock(-HOUR_MS)
    await waits(clock, wait, [clock.now() + HOUR_MS + DELAY_MS])
    clock.jumpWallClock(HOUR_MS)

    expect(await waits(clock, wait, [clock.now() + DELAY_MS])).toEqual([DELAY_MS])
  })
})
