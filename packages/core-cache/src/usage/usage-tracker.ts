import { DemandSeries } from './demand-series.ts'
import { DistinctKeys } from './distinct-keys.ts'
import { forecastDemand } from './forecast-demand.ts'
import { hashOf } from './hash-key.ts'
import { SeenLately } from './seen-lately.ts'
import { type CountedKey, TopKeys } from './top-keys.ts'
import { adviceFor, findScans, type IntervalTotals, type PeriodicKey, type UsageInsights } from './usage-insights.ts'
import { type UsageTrackerOptions, type UsageTrackerSettings, usageSettings } from './usage-options.ts'

/** What is expected of a key. */
export interface UsageForecast {
  readonly key: string
  /** Reads within the horizon. */
  readonly expectedReads: number
  /** When the first of them are expected, in seconds from now; `null` when none are. */
  readonly inSeconds: number | null
  /** The period that it follows; `null` for demand without one. */
  readonly periodSeconds: number | null
  /** What forecasts of this key have been wrong by, as a share of its demand: 0.2 is 20 %. `null` when it hasn't been watched for long enough to say. */
  readonly errorShare: number | null
}

/** How far a forecast looks, and at how many keys. */
export interface PredictOptions {
  /** How far to look ahead. @default the interval of the tracker */
  horizonSeconds?: number | undefined
  /** Keys to forecast, those that are asked for most. @default 100 */
  limit?: number | undefined
}

/** Ghosts that are told apart. */
const MOST_GHOSTS = 100
const GHOST_SKETCH = 2048
/** Fewer times is no habit. */
const GHOST_COUNT = 5
const LISTED = 20
/** Below this, nobody would notice it. */
const LEAST_READS = 0.5

/**
 * Watches how a cache is used, in memory that doesn't grow with the number of keys: sketches find the keys that matter, and these are watched one by one.
 * Counts fade, so that what was hot yesterday isn't hot for ever.
 */
export class UsageTracker {
  readonly #settings: UsageTrackerSettings
  readonly #top: TopKeys
  readonly #ghosts: TopKeys
  readonly #demand: DemandSeries
  readonly #seen: SeenLately
  readonly #distinct = new DistinctKeys()
  /** Reads of each of the last intervals, and of new keys among them. */
  readonly #reads: Float64Array
  readonly #fresh: Float64Array
  readonly #startBucket: number
  #bucket: number
  #halveAtMs: number
  #allReads = 0
  /** Faded like the counts. */
  #recentReads = 0

  constructor(options: UsageTrackerOptions = {}) {
    const settings = usageSettings(options)
    this.#settings = settings
    this.#top = new TopKeys({ keys: settings.maxKeys, sketchWidth: settings.sketchWidth })
    this.#ghosts = new TopKeys({ keys: MOST_GHOSTS, sketchWidth: GHOST_SKETCH })
    this.#demand = new DemandSeries(settings.maxKeys, settings.intervals)
    this.#seen = new SeenLately(settings.recentKeys)
    this.#reads = new Float64Array(settings.intervals)
    this.#fresh = new Float64Array(settings.intervals)
    const nowMs = settings.clock.monotonic()
    this.#bucket = Math.floor(nowMs / settings.intervalMs)
    this.#startBucket = this.#bucket
    this.#halveAtMs = nowMs + settings.halveEveryMs
  }

  /** Notes that a key was asked for, and whether there was something. */
  trackUsage(key: string, found = true): void {
    const bucket = this.#passTime()
    const hash = hashOf(key)
    const slot = bucket % this.#settings.intervals
    this.#allReads += 1
    this.#recentReads += 1
    this.#reads[slot]! += 1
    if (this.#seen.isNew(hash)) this.#fresh[slot]! += 1
    this.#distinct.add(hash)
    const place = this.#top.add(key, hash, (taken) => this.#demand.begin(taken, bucket))
    if (place >= 0) this.#demand.add(place, bucket)
    if (!found) this.#ghosts.add(key, hash)
  }

  /** Keys that will be asked for within the horizon, most expected reads first, each with what its forecasts were wrong by so far. */
  predictUsage({ horizonSeconds, limit = 100 }: PredictOptions = {}): UsageForecast[] {
    const bucket = this.#passTime()
    const { intervalMs, clock } = this.#settings
    const goneMs = clock.monotonic() - bucket * intervalMs
    const horizonMs = horizonSeconds === undefined ? intervalMs : horizonSeconds * 1000
    // The running interval is the first that is forecast; what of it is over counts no more.
    const count = Math.max(1, Math.ceil((goneMs + horizonMs) / intervalMs))
    const forecasts = this.#top.list(limit).map(({ key }) => {
      const { next, period, errorShare } = forecastDemand(this.#demand.before(this.#top.placeOf(key), bucket), count)
      const expected = next.map((reads, ahead) => reads * shareWithin(ahead * intervalMs, intervalMs, goneMs, goneMs + horizonMs))
      const first = expected.findIndex((reads) => reads >= LEAST_READS)
      return {
        key,
        expectedReads: expected.reduce((sum, reads) => sum + reads, 0),
        inSeconds: first < 0 ? null : Math.max(0, first * intervalMs - goneMs) / 1000,
        periodSeconds: period === null ? null : (period * intervalMs) / 1000,
        errorShare,
      }
    })
    return forecasts.filter(({ expectedReads }) => expectedReads >= LEAST_READS).sort((a, b) => b.expectedReads - a.expectedReads)
  }

  /** What the usage shows: hot keys, scans, keys that are asked for in vain, demand that comes again. */
  generateInsights(): UsageInsights {
    const bucket = this.#passTime()
    const intervalSeconds = this.#settings.intervalMs / 1000
    const hot = this.#top.list(LISTED).map((counted) => ({ ...counted, share: this.#recentReads === 0 ? 0 : Math.min(1, counted.count / this.#recentReads) }))
    const ghosts = this.#ghosts.list(LISTED).filter(({ count, error }: CountedKey) => count - error >= GHOST_COUNT)
    const found = { reads: this.#allReads, distinctKeys: Math.round(this.#distinct.count()), hot, ghosts, scans: findScans(this.#totals(bucket), intervalSeconds), periodic: this.#periodic(bucket, intervalSeconds) }
    return { ...found, advice: adviceFor(found) }
  }

  #periodic(bucket: number, intervalSeconds: number): PeriodicKey[] {
    return this.#top
      .list(this.#settings.maxKeys)
      .map(({ key }) => ({ key, ...forecastDemand(this.#demand.before(this.#top.placeOf(key), bucket), 0) }))
      .flatMap(({ key, period, strength }) => (period === null ? [] : [{ key, periodSeconds: period * intervalSeconds, strength }]))
      .sort((a, b) => b.strength - a.strength)
      .slice(0, LISTED)
  }

  /** The whole intervals, the oldest first. */
  #totals(bucket: number): IntervalTotals[] {
    const { intervals } = this.#settings
    const from = Math.max(this.#startBucket, bucket - intervals + 1)
    return Array.from({ length: bucket - from }, (_, at) => ({ reads: this.#reads[(from + at) % intervals]!, fresh: this.#fresh[(from + at) % intervals]! }))
  }

  /** Empties the intervals that have begun since, and lets counts fade; the interval that it is. */
  #passTime(): number {
    const { clock, intervalMs, intervals, halveEveryMs } = this.#settings
    const nowMs = clock.monotonic()
    const bucket = Math.floor(nowMs / intervalMs)
    for (let at = Math.max(this.#bucket + 1, bucket - intervals + 1); at <= bucket; at++) {
      this.#reads[at % intervals] = 0
      this.#fresh[at % intervals] = 0
    }
    this.#bucket = bucket
    for (let halved = 0; nowMs >= this.#halveAtMs; halved++, this.#halveAtMs += halveEveryMs) if (halved < 32) this.#halve()
    return bucket
  }

  #halve(): void {
    this.#top.halve()
    this.#ghosts.halve()
    this.#recentReads /= 2
  }
}

/** Watches how a cache is used. */
export function createUsageTracker(options?: UsageTrackerOptions): UsageTracker {
  return new UsageTracker(options)
}

/** What part of an interval lies between two moments. */
function shareWithin(beginMs: number, lengthMs: number, fromMs: number, untilMs: number): number {
  return Math.max(0, Math.min(beginMs + lengthMs, untilMs) - Math.max(beginMs, fromMs)) / lengthMs
}
