import { describe, expect, it } from 'vitest'
import { playHistory } from './stale-model.ts'

/** A short form of `npm run test:faults -- cache-models`. */
const HISTORIES = 40

describe('Several nodes, a network that fails, and a server that forgets', () => {
  it('never answer with what was invalidated and acknowledged before', async () => {
    let reads = 0
    let acknowledged = 0
    let kept = 0
    let restarts = 0
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const outcome = await playHistory({ seed, steps: 80 })
      expect({ seed, stale: outcome.stale, failures: outcome.failures, first: outcome.first }).toEqual({ seed, stale: 0, failures: 0, first: undefined })
      reads += outcome.reads
      acknowledged += outcome.acknowledged
      kept += outcome.kept
      restarts += outcome.restarts
    }
    expect(reads).toBeGreaterThan(HISTORIES * 15)
    expect(acknowledged).toBeGreaterThan(HISTORIES * 3)
    expect(kept).toBeGreaterThan(HISTORIES / 4)
    expect(restarts).toBeGreaterThan(HISTORIES / 2)
  })

  it('are not struck off for one that had been away, when they have renewed as often as that one had', async () => {
    const outcome = await playHistory({ seed: 901_262, steps: 80 })

    expect(outcome).toMatchObject({ stale: 0, failures: 0, first: undefined })
  })
})
