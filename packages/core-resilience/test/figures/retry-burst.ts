import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { createRetry } from '../../src/index.ts'

const CALLERS = 1_000
const BIN_MS = 10

/** How even the retries come of 1,000 callers that all fail within one millisecond. */
export async function retryBurst(random: () => number): Promise<{ readonly retries: number; readonly peakAgainstMean: number }> {
  const clock = new FakeClock()
  // One attempt more each: what the burst makes of itself, with no budget to hide it.
  const retry = createRetry({ clock, random, maxAttempts: 2, budget: false })
  const retriedAt: number[] = []
  for (let caller = 0; caller < CALLERS; caller++) {
    let calls = 0
    const work = async (): Promise<void> => {
      calls += 1
      if (calls > 1) retriedAt.push(clock.monotonic())
      else throw new ConnectionError('away')
    }
    void retry.execute(work)
  }
  await clock.advance(60_000)
  const bins = new Map<number, number>()
  for (const at of retriedAt) bins.set(Math.floor(at / BIN_MS), (bins.get(Math.floor(at / BIN_MS)) ?? 0) + 1)
  const span = Math.max(...bins.keys()) + 1
  return { retries: retriedAt.length, peakAgainstMean: Math.max(...bins.values()) / (retriedAt.length / span) }
}
