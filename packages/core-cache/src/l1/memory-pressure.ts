/** Who knows how scarce memory is. The smallest part of a resource monitor that a cache needs. */
export interface MemoryPressure {
  /**
   * Tells the share of its byte budget, above 0 and up to 1, that a cache may use: once at the beginning, and whenever it changes.
   *
   * @returns ends it
   */
  follow(setShare: (share: number) => void): () => void
}

/** Less than this is never left of a budget: a cache of nothing would be a load at every read. */
export const LEAST_SHARE = 0.01
