import { requireKey } from '../check-entry.ts'
import { optionError } from '../errors.ts'
import type { L1CacheStats } from '../l1/entry-store.ts'
import type { CacheSize } from '../l1/l1-options.ts'
import { LruDistances } from './lru-distances.ts'
import { MiniatureCache } from './miniature-cache.ts'
import { SpatialSample } from './spatial-sample.ts'

/** Sizes that are tried, against the present one. */
const SIZES = [1 / 8, 1 / 4, 1 / 2, 0.7, 1, 1.4, 2, 4, 8] as const
const LARGEST = SIZES[SIZES.length - 1] as number
/** Accesses in the sample below which nothing is suggested. */
const FEWEST_SAMPLED = 2_000

/** A cache whose size is analyzed; `L1Cache` is one. */
export interface ResizableCache {
  getStats(): L1CacheStats
  resize(size: CacheSize): void
}

/** What a {@link CacheAnalyzer} is made of. */
export interface CacheAnalyzerOptions {
  /** The cache whose traffic it is told of. */
  cache: ResizableCache
  /** Entries that the largest cache of those that are tried holds in miniature: what the analysis costs in memory, about 150 bytes each, nine times at most. More is more exact. @default 16_384 */
  sampledEntries?: number | undefined
}

/** What a cache of some size would do. */
export interface CurvePoint {
  readonly maxEntries: number
  /** Memory that the entries would take, at the present mean. */
  readonly bytes: number
  /** Share of accesses, 0 to 1, that would miss with this cache's own eviction. */
  readonly missRatio: number
  /** Share that would miss with LRU, to compare. */
  readonly lruMissRatio: number
}

/** See {@link CacheAnalyzer.analyzeHitRate}. */
export interface HitRateAnalysis {
  /** Hits of the cache since it was made, of its reads; `undefined` before the first. */
  readonly hitRate: number | undefined
  /** Accesses that the analyzer was told of, the share of keys that is watched, and how many accesses these had. */
  readonly accesses: number
  readonly sampleShare: number
  readonly sampledAccesses: number
  /** Miss-ratio curve, smallest cache first; empty before the first access. It counts from the first access: entries had to be loaded once. */
  readonly curve: readonly CurvePoint[]
}

/** See {@link CacheAnalyzer.analyzeMemoryUsage}. */
export interface MemoryAnalysis {
  readonly entries: number
  readonly bytes: number
  readonly maxBytes: number
  /** Mean; `undefined` for an empty cache. */
  readonly bytesAnEntry: number | undefined
  /** Which bound makes entries leave: the one that is nearer. */
  readonly boundBy: 'entries' | 'bytes'
  /** Entries that fit at the present mean. */
  readonly fittingEntries: number
  /** Share of entries that had to go before they were read again, or were too large, of all misses. */
  readonly evictionsAMiss: number | undefined
}

/** What is wanted of a suggestion. */
export interface OptimizeOptions {
  /** Memory that the entries may take at most. @default no bound but the largest size that is tried */
  maxBytes?: number | undefined
  /** Share of accesses, 0 to 1, that is to hit. The smallest size that does it is suggested. @default the best that a size within the bounds does, less `tolerance` */
  targetHitRate?: number | undefined
  /** Hits, as a share of accesses, that may be given up for a smaller cache. @default 0.005 */
  tolerance?: number | undefined
  /** Whether the cache is given the suggested size at once. @default false */
  apply?: boolean | undefined
}

/** A size, and what is to be expected of it. */
export interface SizeSuggestion extends CacheSize {
  /** Share of accesses that hits at the present size and at the suggested one, by the same sample. */
  readonly presentHitRate: number
  readonly expectedHitRate: number
  readonly reason: 'target' | 'no more to gain' | 'memory bound' | 'target out of reach'
  readonly applied: boolean
}

/**
 * Finds out from a sample of the traffic what a cache of another size would do. Tell it of every access with `record`; watched keys cost some microseconds, the
 * others a hash.
 */
export class CacheAnalyzer {
  readonly #cache: ResizableCache
  readonly #sample: SpatialSample
  readonly #minis: readonly MiniatureCache[]
  readonly #distances: LruDistances
  /** Accesses of the sample by the smallest size at which LRU hits. */
  readonly #lruHits: Float64Array
  readonly #maxEntries: number
  #accesses = 0
  #sampled = 0

  constructor({ cache, sampledEntries = 16_384 }: CacheAnalyzerOptions) {
    if (!(Number.isInteger(sampledEntries) && sampledEntries >= 1_000)) throw optionError('sampledEntries', sampledEntries, 'a whole number of at least 1000')
    this.#cache = cache
    this.#maxEntries = cache.getStats().maxEntries
    const share = Math.min(1, sampledEntries / (LARGEST * this.#maxEntries))
    this.#sample = new SpatialSample(share)
    const sizes = [...new Set(SIZES.map((factor) => Math.max(1, Math.round(this.#maxEntries * factor))))]
    this.#minis = sizes.map((entries) => new MiniatureCache(entries, share))
    this.#distances = new LruDistances(Math.max(1, Math.round((sizes.at(-1) as number) * share)))
    this.#lruHits = new Float64Array(sizes.length)
  }

  /** An access: a read, whether it hit or not. */
  record(key: string): void {
    this.#accesses += 1
    if (!this.#sample.has(key)) return
    requireKey(key)
    this.#sampled += 1
    for (const mini of this.#minis) mini.access(key)
    const distance = this.#distances.access(key)
    const smallest = this.#minis.findIndex(({ entries }) => distance < entries * this.#sample.share)
    if (smallest >= 0) this.#lruHits[smallest]! += 1
  }

  /** What the cache hits, and what it and LRU would miss at other sizes. */
  analyzeHitRate(): HitRateAnalysis {
    const { hits, misses } = this.#cache.getStats()
    const bytesAnEntry = this.analyzeMemoryUsage().bytesAnEntry ?? 0
    let lruHits = 0
    const curve = this.#minis.map(({ entries, misses: missed }, index) => {
      lruHits += this.#lruHits[index]!
      return { maxEntries: entries, bytes: Math.round(entries * bytesAnEntry), missRatio: this.#ratioOf(missed), lruMissRatio: this.#ratioOf(this.#sampled - lruHits) }
    })
    return {
      hitRate: hits + misses === 0 ? undefined : hits / (hits + misses),
      accesses: this.#accesses,
      sampleShare: this.#sample.share,
      sampledAccesses: this.#sampled,
      curve: this.#accesses === 0 ? [] : curve,
    }
  }

  /** What the memory is used for. */
  analyzeMemoryUsage(): MemoryAnalysis {
    const { entries, bytes, maxBytes, maxEntries, evictions, rejections, misses } = this.#cache.getStats()
    const bytesAnEntry = entries === 0 ? undefined : bytes / entries
    const fittingEntries = Math.min(maxEntries, bytesAnEntry === undefined ? maxEntries : Math.floor(maxBytes / bytesAnEntry))
    return {
      entries,
      bytes,
      maxBytes,
      bytesAnEntry,
      boundBy: fittingEntries < maxEntries ? 'bytes' : 'entries',
      fittingEntries,
      evictionsAMiss: misses === 0 ? undefined : (evictions + rejections) / misses,
    }
  }

  /** The smallest of the sizes tried that does what is wanted; `undefined` before enough was seen. */
  optimize({ maxBytes = Infinity, targetHitRate, tolerance = 0.005, apply = false }: OptimizeOptions = {}): SizeSuggestion | undefined {
    if (!(maxBytes > 0)) throw optionError('maxBytes', maxBytes, 'a number of bytes above 0')
    if (targetHitRate !== undefined && !(targetHitRate >= 0 && targetHitRate <= 1)) throw optionError('targetHitRate', targetHitRate, 'a share from 0 to 1')
    if (!(tolerance >= 0 && tolerance <= 1)) throw optionError('tolerance', tolerance, 'a share from 0 to 1')
    const { curve } = this.analyzeHitRate()
    if (this.#sampled < FEWEST_SAMPLED) return undefined
    const { fittingEntries } = this.analyzeMemoryUsage()
    const allowed = curve.filter(({ bytes }, index) => index === 0 || bytes <= maxBytes)
    const best = Math.max(...allowed.map(hitsOf))
    const isReachable = targetHitRate === undefined || targetHitRate <= best
    const wanted = targetHitRate !== undefined && isReachable ? targetHitRate : best - tolerance
    const chosen = allowed.find((point) => hitsOf(point) >= wanted) as CurvePoint
    const isBounded = allowed.length < curve.length && Math.max(...curve.map(hitsOf)) - tolerance > hitsOf(chosen)
    const present = curve.findLast((point) => point.maxEntries <= fittingEntries) ?? (curve[0] as CurvePoint)
    const size = { maxEntries: chosen.maxEntries, maxBytes: Math.max(1, Math.min(maxBytes, Math.ceil(chosen.bytes * BYTES_TO_SPARE))) }
    if (apply) this.#cache.resize(size)
    const reason = !isReachable ? 'target out of reach' : targetHitRate !== undefined ? 'target' : isBounded ? 'memory bound' : 'no more to gain'
    return { ...size, presentHitRate: hitsOf(present), expectedHitRate: hitsOf(chosen), reason, applied: apply }
  }

  /**
   * A number of misses in the sample as a share of all accesses. The accesses themselves are counted, not estimated: a very popular key in the sample, or
   * missing from it, hits anyway and doesn't distort what misses (SHARDS' adjustment).
   */
  #ratioOf(missed: number): number {
    return this.#accesses === 0 ? 0 : Math.min(1, missed / this.#sample.share / this.#accesses)
  }
}

/** Entries differ in size: the number is to bound the cache, not the mean. */
const BYTES_TO_SPARE = 1.25

const hitsOf = ({ missRatio }: CurvePoint): number => 1 - missRatio

/** Finds out what a cache of another size would do. */
export function createCacheAnalyzer(options: CacheAnalyzerOptions): CacheAnalyzer {
  return new CacheAnalyzer(options)
}
