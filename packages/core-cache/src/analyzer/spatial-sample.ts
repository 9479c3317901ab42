/**
 * Which keys are watched: those whose hash lies below a threshold. All accesses to a key are seen, or none of them, so that a cache of share × size entries does
 * on the sample what one of that size does on everything (C. Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015).
 */
export class SpatialSample {
  readonly share: number
  readonly #threshold: number

  constructor(share: number) {
    this.share = share
    this.#threshold = share * 2 ** 32
  }

  has(key: string): boolean {
    return this.share === 1 || hashOf(key) < this.#threshold
  }
}

/** 32 bits of a text, not those that the cache itself samples by: FNV-1a from another start, and the finish of MurmurHash3. */
function hashOf(text: string): number {
  let hash = 0x27d4eb2f
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
