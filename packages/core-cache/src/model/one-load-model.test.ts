import { describe, expect, it } from 'vitest'
import { playOneLoadHistory } from './one-load-model.ts'

/** A short form of `npm run test:faults -- cache-models`. */
const HISTORIES = 300

describe('Several nodes that can all reach the server', () => {
  it('load a key one at a time, and not while there is a fresh value', async () => {
    let reads = 0
    let loads = 0
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const { doubled, needless, failures, first, ...outcome } = await playOneLoadHistory({ seed, steps: 40 })
      expect({ seed, doubled, needless, failures, first }).toEqual({ seed, doubled: 0, needless: 0, failures: 0, first: undefined })
      reads += outcome.reads
      loads += outcome.loads
    }
    expect(reads).toBeGreaterThan(HISTORIES * 40)
    expect(loads).toBeGreaterThan(HISTORIES * 5)
  })
})
