import { describe, expect, it } from 'vitest'
import { playRandomClaims } from './model/claim-histories.ts'

describe('pipelines that claim one table at once', () => {
  // `npm run test:faults -- pipeline-models` plays tens of thousands.
  it('agree on one of them, whatever is held up, dies or is taken over meanwhile', async () => {
    await expect(playRandomClaims({ numRuns: 300, endOnFailure: true })).resolves.toBeUndefined()
  })

  it('would not agree without waiting for claims that are being written', async () => {
    await expect(playRandomClaims({ numRuns: 2000, seed: 7, endOnFailure: true }, { waits: false })).rejects.toThrow('Property failed')
  })

  it('would not agree if a claim that began late were written beside one that is seen', async () => {
    await expect(playRandomClaims({ numRuns: 2000, seed: 7, endOnFailure: true }, { guards: false })).rejects.toThrow('Property failed')
  })
})
