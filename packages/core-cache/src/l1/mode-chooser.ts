import { type EvictionMode, EvictionQueues } from './eviction-queues.ts'

/** Entries that each trial cache holds: enough to tell the modes apart, few enough to cost little. */
const TRIAL_ENTRIES = 128
/** The one that a cache begins with is the first. */
const MODES: readonly EvictionMode[] = ['frequency', 'ghosts', 'recency']
/** Accesses, in trial sizes, between two judgements. */
const SIZES_PER_JUDGEMENT = 3
/** What earlier judgements count against the newest. */
const FADING = 0.75
/** A mode must be better by this before it takes over: each change costs some hits. */
const LEAD = 1.01

/**
 * Finds the mode that serves this traffic best by trying all of them on a sample: three small caches of hashes, each under one mode, see the accesses to the
 * keys whose hash falls into the sample, at the same ratio of capacity to keys as the real one (C. Waldspurger et al., "Cache Modeling and Optimization
 * using Miniature Simulations", ATC 2017). Traffic changes, and so may the answer.
 */
export class ModeChooser {
  readonly #trials: readonly TrialCache[]
  readonly #threshold: number
  readonly #accessesPerJudgement: number
  #accesses = 0
  #best = 0

  constructor(capacity: number) {
    const share = Math.min(1, TRIAL_ENTRIES / capacity)
    const entries = Math.max(1, Math.round(capacity * share))
    this.#threshold = share * 2 ** 32
    this.#accessesPerJudgement = SIZES_PER_JUDGEMENT * entries
    this.#trials = MODES.map((mode) => new TrialCache(mode, entries))
  }

  get mode(): EvictionMode {
    return MODES[this.#best] as EvictionMode
  }

  /** Whether accesses to the key are to be told. */
  isSampled(hash: number): boolean {
    let mixed = Math.imul(hash, 0x9e3779b1)
    mixed ^= mixed >>> 16
    mixed = Math.imul(mixed, 0x85ebca6b)
    return (mixed ^ (mixed >>> 13)) >>> 0 < this.#threshold
  }

  /** Tells of an access to a sampled key; whether the best mode may be another one now. */
  access(hash: number): boolean {
    for (const trial of this.#trials) trial.access(hash)
    if (++this.#accesses < this.#accessesPerJudgement) return false
    this.#accesses = 0
    this.#judge()
    return true
  }

  #judge(): void {
    for (const trial of this.#trials) trial.settle()
    const scores = this.#trials.map(({ score }) => score)
    const best = scores.indexOf(Math.max(...scores))
    if ((scores[best] as number) > (scores[this.#best] as number) * LEAD) this.#best = best
  }
}

/** A cache without keys and values: it only knows whether it would have hit. */
class TrialCache {
  /** Hits, the older ones faded. */
  score = 0
  #hits = 0
  readonly #entries: number
  readonly #slotOf = new Map<number, number>()
  readonly #queues: EvictionQueues

  constructor(mode: EvictionMode, entries: number) {
    this.#queues = new EvictionQueues(mode)
    this.#entries = entries
  }

  access(hash: number): void {
    const known = this.#slotOf.get(hash)
    if (known !== undefined) {
      this.#hits += 1
      this.#queues.touch(known)
      this.#queues.countReads(1)
      return
    }
    if (this.#slotOf.size >= this.#entries) {
      const victim = this.#queues.chooseVictim()
      this.#slotOf.delete(this.#queues.hashOf(victim))
      this.#queues.evict(victim)
    }
    this.#slotOf.set(hash, this.#queues.add(hash))
  }

  settle(): void {
    this.score = this.score * FADING + this.#hits
    this.#hits = 0
  }
}
