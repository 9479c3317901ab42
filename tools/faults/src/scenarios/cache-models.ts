import { playHistory, playOneLoadHistory } from '@smart-whale/core-cache/testing'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'

const HISTORIES = 100_000
const SHORT_HISTORIES = 2_000
const TOLD_EVERY = 10_000
/** Of ten histories: short ones find what needs one unlucky moment; failovers, restarts and their consequences need long ones. */
const LENGTHS = [12, 12, 12, 12, 12, 30, 30, 'long', 'long', 'long'] as const
const LONG = { from: 40, to: 80 }
/** One history in so many has its seed played once more, without cuts, to see how often keys are loaded. */
const ONE_LOAD_EVERY = 10

/**
 * Scheduled histories of several nodes of a cache: fills, sets and invalidations in any order, over a network that delays, loses and cuts, with a server that
 * forgets and fails over, memory that is short, and nodes that end and begin anew. And others in which nobody is cut off: there, a key is loaded once.
 */
export async function cacheModels({ seed, isShort, tell }: FaultRun): Promise<readonly Finding[]> {
  const histories = isShort ? SHORT_HISTORIES : HISTORIES
  const sum = { stale: 0, failures: 0, reads: 0, acknowledged: 0, restarts: 0, failovers: 0, kept: 0 }
  const onceLoaded = { loads: 0, doubled: 0, needless: 0 }
  let long = 0
  for (let played = 0; played < histories; played++) {
    const steps = stepsOf(played)
    const history = { seed: (seed * HISTORIES + played) >>> 0, steps }
    const outcome = await playHistory(history)
    if (played % ONE_LOAD_EVERY === 0) {
      const loaded = await playOneLoadHistory(history)
      for (const name of Object.keys(onceLoaded) as (keyof typeof onceLoaded)[]) onceLoaded[name] += loaded[name]
      if (loaded.first !== undefined) tell(`history ${played}, ${steps} steps: ${loaded.first}`)
    }
    if (steps >= LONG.from) long += 1
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += outcome[name]
    if (outcome.first !== undefined) tell(`history ${played}, ${steps} steps: ${outcome.first}`)
    if ((played + 1) % TOLD_EVERY === 0) tell(`${played + 1} histories, ${sum.reads} reads, ${sum.restarts} restarts, ${sum.failovers} failovers`)
  }
  return [
    mustBe('histories', histories, histories),
    mustBe('histories of 40 steps or more', long > histories / 4, true),
    mustBe('reads of what was invalidated and acknowledged before', sum.stale, 0),
    mustBe('reads or sets that failed though their loader did not', sum.failures, 0),
    mustBe('loads that began while another node loaded the key, and none was cut off', onceLoaded.doubled, 0),
    mustBe('loads that began while there was a fresh value', onceLoaded.needless, 0),
    mustBe('loads without cuts', onceLoaded.loads > histories / ONE_LOAD_EVERY, true),
    mustBe('invalidations were acknowledged', sum.acknowledged > histories / 2, true),
    mustBe('nodes restarted, and servers failed over', Math.min(sum.restarts, sum.failovers) > histories / 10, true),
    mustBe('what had survived a restart was read', sum.kept > histories / 20, true),
  ]
}

function stepsOf(played: number): number {
  const length = LENGTHS[played % LENGTHS.length] as (typeof LENGTHS)[number]
  return length === 'long' ? LONG.from + (played % (LONG.to - LONG.from + 1)) : length
}
