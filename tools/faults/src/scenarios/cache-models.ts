import { playHistory } from '@smart-whale/core-cache/testing'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'

const HISTORIES = 100_000
const SHORT_HISTORIES = 2_000
const STEPS = 12
const TOLD_EVERY = 10_000

/** Scheduled histories of several nodes of a cache: fills and invalidations in any order, over a network that delays, loses and cuts, with a server that forgets. */
export async function cacheModels({ seed, isShort, tell }: FaultRun): Promise<readonly Finding[]> {
  const histories = isShort ? SHORT_HISTORIES : HISTORIES
  const sum = { stale: 0, failures: 0, reads: 0, acknowledged: 0 }
  for (let played = 0; played < histories; played++) {
    const outcome = await playHistory({ seed: (seed * HISTORIES + played) >>> 0, steps: STEPS })
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += outcome[name]
    if (outcome.first !== undefined) tell(`history ${played}: ${outcome.first}`)
    if ((played + 1) % TOLD_EVERY === 0) tell(`${played + 1} histories, ${sum.reads} reads`)
  }
  return [
    mustBe('histories', histories, histories),
    mustBe('reads of what was invalidated and acknowledged before', sum.stale, 0),
    mustBe('reads that failed though their loader did not', sum.failures, 0),
    mustBe('invalidations were acknowledged', sum.acknowledged > histories / 2, true),
  ]
}
