/** Numbers from 0 up to, not including, 1, the same for the same seed (mulberry32). */
export function seededFractions(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Keys by a Zipf law, the way most caches are asked; in between, if so wished, scans of 500 keys that come only once. */
export function zipfTrace({ keys, exponent, accesses, scanShare = 0, seed = 7 }: ZipfTrace): Int32Array {
  const fraction = seededFractions(seed)
  const cumulative = cumulativeWeights(keys, exponent)
  const trace = new Int32Array(accesses)
  const scanStarts = scanShare === 0 ? 0 : scanShare / (1 - scanShare) / SCAN_LENGTH
  let nextNew = keys
  let scanLeft = 0
  for (let at = 0; at < accesses; at++) {
    if (scanLeft === 0 && fraction() < scanStarts) scanLeft = SCAN_LENGTH
    trace[at] = scanLeft > 0 ? nextNew++ : firstAbove(cumulative, fraction())
    if (scanLeft > 0) scanLeft -= 1
  }
  return trace
}

/** The same keys over and over: what recency alone never hits when they don't fit. */
export const loopTrace = (keys: number, accesses: number): Int32Array => Int32Array.from({ length: accesses }, (_, at) => at % keys)

/** A popular set that moves on: what frequency alone is late to follow. */
export function driftingTrace(keys: number, accesses: number, seed = 11): Int32Array {
  const fraction = seededFractions(seed)
  return Int32Array.from({ length: accesses }, (_, at) => Math.floor(at / 20) + Math.floor(keys * fraction() ** 3))
}

/** What a {@link zipfTrace} is made of. */
export interface ZipfTrace {
  readonly keys: number
  readonly exponent: number
  readonly accesses: number
  readonly scanShare?: number
  readonly seed?: number
}

const SCAN_LENGTH = 500

function cumulativeWeights(keys: number, exponent: number): Float64Array {
  const cumulative = new Float64Array(keys)
  let sum = 0
  for (let rank = 0; rank < keys; rank++) cumulative[rank] = sum += 1 / (rank + 1) ** exponent
  return cumulative.map((weight) => weight / sum)
}

function firstAbove(cumulative: Float64Array, fraction: number): number {
  let low = 0
  let high = cumulative.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (cumulative[middle]! < fraction) low = middle + 1
    else high = middle
  }
  return low
}
