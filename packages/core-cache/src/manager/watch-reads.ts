import type { CacheAnalyzer } from '../analyzer/cache-analyzer.ts'
import type { UsageTracker } from '../usage/usage-tracker.ts'

/** Told of a read that was answered: its key, and whether there was anything. */
export type ReadWatcher = (key: string, isThere: boolean) => void

/** One function for all who want to hear of reads: most caches have none, and a hit pays for one look at that. */
export function watchReads(usage: UsageTracker | undefined, analyzer: CacheAnalyzer | undefined): ReadWatcher | undefined {
  if (usage === undefined && analyzer === undefined) return undefined
  return (key, isThere) => {
    usage?.trackUsage(key, isThere)
    analyzer?.record(key)
  }
}
