/** A target as a strategy sees it. */
export interface Candidate {
  readonly name: string
  /** Share of the work that it is to get, against the others'. */
  readonly weight: number
  /** Calls to it that have not ended. */
  readonly underWay: number
  /** Mean time of its answers: quick to rise, slow to fall, and falling while it isn't asked; 0 while nothing is known. */
  readonly latencyMs: number
}

/** Decides which target a call goes to. */
export interface BalancingStrategy {
  /**
   * @param candidates at least one
   * @param key what the call is about, for strategies that keep a key at its place
   * @param random numbers from 0 up to 1
   */
  choose<C extends Candidate>(candidates: readonly C[], key: string | undefined, random: () => number): C
}

/** One after the other. */
export function roundRobin(): BalancingStrategy {
  let next = 0
  return {
    choose: (candidates) => {
      const index = next % candidates.length
      next = index + 1
      return candidates[index]!
    },
  }
}

/** Any, each as likely as the others. */
export function randomChoice(): BalancingStrategy {
  return { choose: (candidates, _key, random) => candidates[Math.floor(random() * candidates.length)]! }
}

/**
 * By weight, evenly spread in time: of weights 5, 1, 1 no five go to the first in a row. The rule is the smooth weighted round robin of nginx:
 * each gains its weight, the richest is taken and pays the sum of all.
 */
export function weightedRoundRobin(): BalancingStrategy {
  const credit = new WeakMap<Candidate, number>()
  return {
    choose: (candidates) => {
      let total = 0
      let richest = candidates[0]!
      for (const candidate of candidates) {
        total += candidate.weight
        credit.set(candidate, (credit.get(candidate) ?? 0) + candidate.weight)
        if (credit.get(candidate)! > credit.get(richest)!) richest = candidate
      }
      credit.set(richest, credit.get(richest)! - total)
      return richest
    },
  }
}

/** The one with the fewest calls under way for its weight; chance decides among equals. */
export function leastConnections(): BalancingStrategy {
  return {
    choose: (candidates, _key, random) => {
      let best = candidates[0]!
      let equals = 0
      for (const candidate of candidates) {
        const difference = candidate.underWay / candidate.weight - best.underWay / best.weight
        if (difference > 0) continue
        equals = difference < 0 ? 1 : equals + 1
        // The n-th equal takes the place with a chance of one in n: so all are as likely.
        if (difference < 0 || random() * equals < 1) best = candidate
      }
      return best
    },
  }
}

/** What a target about which nothing is known yet costs for each call under way: one call finds out, the others wait for its answer elsewhere. */
const UNKNOWN_COST_MS = 1_000

/**
 * The cheaper of two taken at random, by the time that a call would take: latency × calls under way
 * (M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001; cost as in Finagle's `p2cPeakEwma`). Needs no
 * knowledge of all targets, and no herd runs to the one that looks best at the moment.
 */
export function powerOfTwoChoices(): BalancingStrategy {
  const costOf = ({ latencyMs, underWay, weight }: Candidate): number =>
    latencyMs === 0 ? (underWay * UNKNOWN_COST_MS) / weight : (latencyMs * (underWay + 1)) / weight
  return {
    choose: (candidates, _key, random) => {
      if (candidates.length === 1) return candidates[0]!
      const first = Math.floor(random() * candidates.length)
      // Out of the others, so that the two differ.
      const second = (first + 1 + Math.floor(random() * (candidates.length - 1))) % candidates.length
      const [one, other] = [candidates[first]!, candidates[second]!]
      return costOf(other) < costOf(one) ? other : one
    },
  }
}

/**
 * The same target for the same key, by weight; when one comes or goes, only its own keys move
 * (D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998). A call without a key goes anywhere.
 */
export function rendezvousHash(): BalancingStrategy {
  return {
    choose: (candidates, key, random) => {
      if (key === undefined) return candidates[Math.floor(random() * candidates.length)]!
      let best = candidates[0]!
      let bestScore = -Infinity
      for (const candidate of candidates) {
        const score = -candidate.weight / Math.log(shareOf(key, candidate.name))
        if (score > bestScore) {
          best = candidate
          bestScore = score
        }
      }
      return best
    },
  }
}

/** A number between 0 and 1, neither included, from a key and a name: FNV-1a, then the finish of MurmurHash3, for the first alone mixes the last bytes badly. */
function shareOf(key: string, name: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  // Between the two: ("ab", "c") is not ("a", "bc").
  hash = Math.imul(hash ^ 0xffff, 0x01000193)
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  hash ^= hash >>> 16
  return ((hash >>> 0) + 0.5) / 2 ** 32
}
