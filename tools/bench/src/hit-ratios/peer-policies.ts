import { LRUCache } from 'lru-cache'

/** A cache without values: whether a key that is asked for is there; if it isn't, it is brought in. */
export type Policy = (key: string) => boolean

/** What L1Cache is held against, by name. */
export const PEERS: Readonly<Record<string, (capacity: number) => Policy>> = { LRU: lru, 'S3-FIFO': s3Fifo, 'W-TinyLFU': wTinyLfu }

function lru(capacity: number): Policy {
  const cache = new LRUCache<string, true>({ max: capacity })
  return (key) => {
    if (cache.get(key) === true) return true
    cache.set(key, true)
    return false
  }
}

const SMALL_SHARE = 0.1
const MOST_USES = 3

/** J. Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023: with their sizes. */
function s3Fifo(capacity: number): Policy {
  const small = new Set<string>()
  const main = new Set<string>()
  const ghosts = new Set<string>()
  const uses = new Map<string, number>()
  const smallEntries = Math.max(1, Math.round(capacity * SMALL_SHARE))

  const evictSmall = (): void => {
    const key = takeOldest(small)
    if ((uses.get(key) ?? 0) > 1) {
      main.add(key)
      uses.set(key, 0)
      return
    }
    uses.delete(key)
    ghosts.add(key)
    if (ghosts.size > capacity - smallEntries) takeOldest(ghosts)
  }
  const evictMain = (): void => {
    const key = takeOldest(main)
    const left = uses.get(key) ?? 0
    if (left === 0) return void uses.delete(key)
    uses.set(key, left - 1)
    main.add(key)
  }
  return (key) => {
    const used = uses.get(key)
    if (used !== undefined) {
      uses.set(key, Math.min(MOST_USES, used + 1))
      return true
    }
    while (small.size + main.size >= capacity) (small.size >= smallEntries || main.size === 0 ? evictSmall : evictMain)()
    ;(ghosts.delete(key) ? main : small).add(key)
    uses.set(key, 0)
    return false
  }
}

const WINDOW_SHARE = 0.01
const PROTECTED_SHARE = 0.8
const MOST_COUNTED = 15
/** So many accesses for each entry: then all counts are halved, and the climber takes a step. */
const SAMPLE = 10
const STEP_SHARE = 0.0625
const STEP_DECAY = 0.98
const RESTART_AT = 0.05

/**
 * G. Einziger, R. Friedman, B. Manes, "TinyLFU", 2017, with a window whose size climbs to where more hits ("Adaptive Software Cache Management", 2018), as Caffeine has
 * it. Its counts are exact, where a real one has a sketch.
 */
function wTinyLfu(capacity: number): Policy {
  const [window, probation, guarded] = [new Set<string>(), new Set<string>(), new Set<string>()] as const
  const counts = new Map<string, number>()
  let windowEntries = Math.max(1, Math.round(capacity * WINDOW_SHARE))
  const probationEntries = Math.round((capacity - windowEntries) * (1 - PROTECTED_SHARE))
  const climb = climber(capacity)
  let counted = 0

  const count = (key: string): void => {
    counts.set(key, Math.min(MOST_COUNTED, (counts.get(key) ?? 0) + 1))
    if (++counted < capacity * SAMPLE) return
    counted >>= 1
    for (const [known, uses] of counts) {
      if (uses > 1) counts.set(known, uses >> 1)
      else counts.delete(known)
    }
  }
  const settle = (): void => {
    while (guarded.size > Math.max(0, capacity - windowEntries - probationEntries)) probation.add(takeOldest(guarded))
    while (window.size > windowEntries) probation.add(takeOldest(window))
  }
  /** The newest of probation has just left the window; it stays if it is more popular than the oldest. */
  const evict = (): void => {
    const candidate = takeOldest(window)
    const victim = probation.values().next().value ?? guarded.values().next().value
    if (victim === undefined || (counts.get(candidate) ?? 0) <= (counts.get(victim) ?? 0)) return
    if (!probation.delete(victim)) guarded.delete(victim)
    probation.add(candidate)
  }
  const find = (key: string): boolean => {
    if (window.delete(key)) {
      window.add(key)
      return true
    }
    if (!guarded.delete(key) && !probation.delete(key)) return false
    guarded.add(key)
    settle()
    return true
  }
  return (key) => {
    count(key)
    const isHit = find(key)
    const step = climb(isHit)
    if (step !== 0) {
      windowEntries = Math.min(capacity - probationEntries, Math.max(1, windowEntries + Math.round(step)))
      settle()
      for (const first of probation) {
        if (window.size >= windowEntries) break
        probation.delete(first)
        window.add(first)
      }
    }
    if (isHit) return true
    window.add(key)
    if (window.size + probation.size + guarded.size > capacity) evict()
    else settle()
    return false
  }
}

/** By how many entries the window should grow: the way that brought more hits, in steps that get smaller until the traffic changes. */
function climber(capacity: number): (isHit: boolean) => number {
  let [hits, seen, before, step] = [0, 0, 0, STEP_SHARE * capacity]
  return (isHit) => {
    hits += isHit ? 1 : 0
    if (++seen < capacity * SAMPLE) return 0
    const change = hits / seen - before
    const taken = change >= 0 ? step : -step
    before = hits / seen
    hits = seen = 0
    step = Math.abs(change) >= RESTART_AT ? Math.sign(taken) * STEP_SHARE * capacity : taken * STEP_DECAY
    return taken
  }
}

function takeOldest(keys: Set<string>): string {
  const oldest = keys.values().next().value as string
  keys.delete(oldest)
  return oldest
}
