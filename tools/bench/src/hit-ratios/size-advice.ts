import { parseArgs } from 'node:util'
import { createCacheAnalyzer, createL1Cache, type L1Cache } from '@smart-whale/core-cache'
import { type Cell, readCells } from './read-traces.ts'

/**
 * `node --conditions=@smart-whale/source tools/bench/src/hit-ratios/size-advice.ts --traces FOLDER [--share 0.25]`: what the analyzer expects of sizes, against
 * replays of recorded traffic; with all keys of these small caches watched, as by default, or a share of them.
 */
function run(): void {
  const { traces, share } = parseArgs({ options: { traces: { type: 'string' }, share: { type: 'string' } } }).values
  if (traces === undefined) {
    process.stderr.write('size-advice: --traces must name the folder of the traces that are bundled with the Caffeine simulator\n')
    process.exitCode = 1
    return
  }
  const errors: number[] = []
  for (const cell of readCells(traces)) errors.push(...errorsOn(cell, share === undefined ? undefined : Number(share)))
  print(`largest error ${Math.max(...errors).toFixed(2)} points, mean ${(errors.reduce((sum, error) => sum + error, 0) / errors.length).toFixed(2)}, of ${errors.length} sizes`)
}

/** Of the sizes that the analyzer tries, against the present one; and the fewest entries that it takes for a sample. */
const LARGEST_SIZE = 8
const FEWEST_SAMPLED = 1_000

/** How far, in points, expected hit ratios are from those of replays: at half, the same and twice the size, and at the one suggested. */
function errorsOn({ name, capacity, keys }: Cell, share: number | undefined): number[] {
  const cache = cacheOf(capacity)
  const analyzer = createCacheAnalyzer({ cache, sampledEntries: share && Math.max(FEWEST_SAMPLED, Math.round(share * LARGEST_SIZE * capacity)) })
  replay(keys, cache, (key) => analyzer.record(key))
  const suggested = analyzer.optimize()?.maxEntries
  const points = analyzer.analyzeHitRate().curve.filter(({ maxEntries }) => [capacity / 2, capacity, capacity * 2, suggested].includes(maxEntries))
  return points.map(({ maxEntries, missRatio }) => {
    const expected = 100 * (1 - missRatio)
    const found = 100 * replay(keys, cacheOf(maxEntries))
    const isSuggested = maxEntries === suggested ? '   suggested' : ''
    print(`${name.padEnd(14)} ${String(maxEntries).padStart(6)}   expected ${expected.toFixed(2).padStart(6)}   replay ${found.toFixed(2).padStart(6)}${isSuggested}`)
    return Math.abs(expected - found)
  })
}

const cacheOf = (maxEntries: number): L1Cache => createL1Cache({ maxEntries, maxBytes: Number.MAX_SAFE_INTEGER, defaultTtlSeconds: null })

/** Share of accesses that hit. */
function replay(keys: readonly string[], cache: L1Cache, tell: (key: string) => void = () => {}): number {
  let hits = 0
  for (const key of keys) {
    tell(key)
    if (cache.fastGet(key) === undefined) cache.fastSet(key, 1)
    else hits += 1
  }
  return hits / keys.length
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

run()
