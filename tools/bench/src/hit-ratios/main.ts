import { parseArgs } from 'node:util'
import { createL1Cache } from '@smart-whale/core-cache'
import { PEERS, type Policy } from './peer-policies.ts'
import { type Cell, readCells } from './read-traces.ts'
import { zipfCells } from './zipf-cells.ts'

const OURS = 'L1Cache'
const POLICIES: Readonly<Record<string, (capacity: number) => Policy>> = { ...PEERS, [OURS]: ours }
const NAMES = Object.keys(POLICIES)

/**
 * `node --conditions=@smart-whale/source tools/bench/src/hit-ratios/main.ts [--traces FOLDER]`: hit ratios of L1Cache against LRU, S3-FIFO and W-TinyLFU over popular
 * keys, and over recorded traffic if there is a folder of it.
 */
function run(): void {
  const { traces } = parseArgs({ options: { traces: { type: 'string' } } }).values
  const cells = [...(traces === undefined ? [] : readCells(traces)), ...zipfCells()]
  print(`${'cell'.padEnd(24)} ${NAMES.map((name) => name.padStart(10)).join('')}`)
  const rows = cells.map((cell) => {
    const row = Object.fromEntries(NAMES.map((name) => [name, hitRatio(cell, POLICIES[name] as (capacity: number) => Policy)]))
    print(`${`${cell.name} ${cell.capacity}`.padEnd(24)} ${NAMES.map((name) => (row[name] ?? 0).toFixed(2).padStart(10)).join('')}`)
    return row
  })
  const meanOf = (name: string): number => rows.reduce((sum, row) => sum + (row[name] ?? 0), 0) / rows.length
  const worstOf = (name: string): number => Math.min(...rows.map((row) => (row[name] ?? 0) - (row['LRU'] ?? 0)))
  print(`${'mean'.padEnd(24)} ${NAMES.map((name) => meanOf(name).toFixed(2).padStart(10)).join('')}`)
  print(`${'worst against LRU'.padEnd(24)} ${NAMES.map((name) => worstOf(name).toFixed(2).padStart(10)).join('')}`)
  if (traces === undefined) print('Popular keys alone; --traces names the folder of the traces that are bundled with the Caffeine simulator.')
}

function ours(capacity: number): Policy {
  const cache = createL1Cache({ maxEntries: capacity, maxBytes: Number.MAX_SAFE_INTEGER, defaultTtlSeconds: null })
  return (key) => {
    if (cache.fastGet(key) !== undefined) return true
    cache.fastSet(key, 1)
    return false
  }
}

/** Percent of accesses that hit. */
function hitRatio({ keys, capacity }: Cell, policyOf: (capacity: number) => Policy): number {
  const isThere = policyOf(capacity)
  let hits = 0
  for (const key of keys) if (isThere(key)) hits += 1
  return (100 * hits) / keys.length
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

run()
