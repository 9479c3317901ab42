import type { CountedKey } from './top-keys.ts'

/** A key that is asked for in time with something. */
export interface PeriodicKey {
  readonly key: string
  readonly periodSeconds: number
  /** How much its demand resembles that of a period ago, 0 to 1. */
  readonly strength: number
}

/** A time in which much was asked for that nobody had asked for lately. */
export interface Scan {
  /** How long ago it began and ended. */
  readonly beganSecondsAgo: number
  readonly endedSecondsAgo: number
  readonly reads: number
  /** Share of them that were of new keys. */
  readonly newShare: number
}

/** What the usage of a cache shows. */
export interface UsageInsights {
  /** Reads since the tracker was made. */
  readonly reads: number
  /** Different keys, within about 2 %. */
  readonly distinctKeys: number
  /** The most frequent keys; counts are of late, as the past fades. */
  readonly hot: readonly (CountedKey & { readonly share: number })[]
  readonly scans: readonly Scan[]
  /** Keys that are asked for again and again though there is nothing: `negativeTtlSeconds` spares these loads. */
  readonly ghosts: readonly CountedKey[]
  readonly periodic: readonly PeriodicKey[]
  /** What could be done about it, in words. */
  readonly advice: readonly string[]
}

/** Reads of one interval, and how many of them were of new keys. */
export interface IntervalTotals {
  readonly reads: number
  readonly fresh: number
}

/** Fewer reads in an interval are no scan. */
const FEWEST_READS = 50
const NEW_SHARE = 0.5
/** So much more than what is usual. */
const TIMES_USUAL = 2

/** Intervals next to each other in which more was new than usual. The first one counts: whether it is a warm-up, nobody can tell, so it is left out. */
export function findScans(totals: readonly IntervalTotals[], intervalSeconds: number): Scan[] {
  const shares = totals.filter(({ reads }) => reads > 0).map(shareOf).sort((a, b) => a - b)
  const usual = shares[Math.floor(shares.length / 2)] ?? 0
  const isScan = (total: IntervalTotals, at: number): boolean => at > 0 && total.reads >= FEWEST_READS && shareOf(total) >= Math.max(NEW_SHARE, TIMES_USUAL * usual)
  const scans: Scan[] = []
  for (let at = 0; at < totals.length; at++) {
    if (!isScan(totals[at] as IntervalTotals, at)) continue
    const from = at
    while (at + 1 < totals.length && isScan(totals[at + 1] as IntervalTotals, at + 1)) at += 1
    const within = totals.slice(from, at + 1)
    const reads = within.reduce((sum, total) => sum + total.reads, 0)
    const fresh = within.reduce((sum, total) => sum + total.fresh, 0)
    scans.push({ beganSecondsAgo: (totals.length - from) * intervalSeconds, endedSecondsAgo: (totals.length - at - 1) * intervalSeconds, reads, newShare: fresh / reads })
  }
  return scans
}

/** What could be done about it. */
export function adviceFor({ hot, scans, ghosts, periodic }: Omit<UsageInsights, 'advice'>): string[] {
  const advice: string[] = []
  const [hottest] = hot
  if (hottest !== undefined && hottest.share > 0.2) advice.push(`${JSON.stringify(hottest.key)} is ${Math.round(hottest.share * 100)} % of all reads: give it a long ttlSeconds and staleWhileRevalidateSeconds, so that nobody waits for its load`)
  if (ghosts.length > 0) advice.push(`${ghosts.length} keys are asked for again and again though there is nothing, ${JSON.stringify(ghosts[0]?.key)} most: negativeTtlSeconds spares these loads`)
  if (scans.length > 0) advice.push(`${scans.length} scans of keys that nobody asks for again: read these past the cache, and they don't cost others their place`)
  if (periodic.length > 0) advice.push(`${periodic.length} keys are asked for in regular intervals: prefetch loads them in time`)
  return advice
}

const shareOf = ({ reads, fresh }: IntervalTotals): number => (reads === 0 ? 0 : fresh / reads)
