import { parseArgs } from 'node:util'
import { createL1Cache } from '@smart-whale/core-cache'
import { LRUCache } from 'lru-cache'
import { type Cell, readCells } from './read-traces.ts'

/** `node --conditions=@smart-whale/source tools/bench/src/hit-ratios/main.ts --traces FOLDER`: hit ratios of L1Cache against LRU over recorded traffic. */
function run(): void {
  const { traces } = parseArgs({ options: { traces: { type: 'string' } } }).values
  if (traces === undefined) {
    process.stderr.write('hit-ratios: --traces must name the folder of the traces that are bundled with the Caffeine simulator\n')
    process.exitCode = 1
    return
  }
  const differences: number[] = []
  const ratios: number[] = []
  for (const cell of readCells(traces)) {
    const [lru, ours] = [lruHits(cell), ourHits(cell)].map((hits) => (100 * hits) / cell.keys.length) as [number, number]
    ratios.push(ours)
    differences.push(ours - lru)
    print(`${cell.name.padEnd(14)} ${String(cell.capacity).padStart(5)}   LRU ${lru.toFixed(2).padStart(6)}   L1Cache ${ours.toFixed(2).padStart(6)}   ${(ours - lru).toFixed(2).padStart(6)}`)
  }
  print(`mean of L1Cache ${(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toFixed(2)}, worst against LRU ${Math.min(...differences).toFixed(2)}`)
}

function lruHits({ keys, capacity }: Cell): number {
  const cache = new LRUCache<string, number>({ max: capacity })
  let hits = 0
  for (const key of keys) {
    if (cache.get(key) === undefined) cache.set(key, 1)
    else hits += 1
  }
  return hits
}

function ourHits({ keys, capacity }: Cell): number {
  const cache = createL1Cache({ maxEntries: capacity, maxBytes: Number.MAX_SAFE_INTEGER, defaultTtlSeconds: null })
  let hits = 0
  for (const key of keys) {
    if (cache.fastGet(key) === undefined) cache.fastSet(key, 1)
    else hits += 1
  }
  return hits
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

run()
