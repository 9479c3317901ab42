import { zipfTrace } from '@smart-whale/core-cache/testing'
import type { Cell } from './read-traces.ts'

const ACCESSES = 1_000_000
const KEYS = 100_000

/** Popular keys, the way most caches are asked, with and without scans between: made here, so that they need no folder. */
export function zipfCells(): readonly Cell[] {
  return [0, 0.3].flatMap((scanShare) => {
    const keys = Array.from(zipfTrace({ keys: KEYS, exponent: 0.9, accesses: ACCESSES, scanShare }), String)
    const name = scanShare === 0 ? 'zipf 0.9' : `zipf 0.9, ${scanShare * 100} % scans`
    return [1_000, 10_000].map((capacity) => ({ name, capacity, keys }))
  })
}
