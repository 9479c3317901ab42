import { randomUUID } from 'node:crypto'
import type { CachingInterface, Clock } from '@smart-whale/interfaces'
import { durationOption } from '../check-options.ts'
import { notify } from '../notify.ts'
import { withDeadline } from '../timeout.ts'
import type { ManagedState, StateChange } from './state-manager.ts'

/** How states are shared between processes. */
export interface SharedStateOptions {
  /**
   * Where they lie: any cache that all processes see. While it is away, each process decides for itself. With `ttl`, a process that comes late
   * learns how long a breaker is still to be open; without, it takes the whole time from when it hears of it.
   */
  cache: Pick<CachingInterface, 'get' | 'set'> & Partial<Pick<CachingInterface, 'ttl'>>
  /** Put before each key. @default 'smart-whale:breaker:' */
  keyPrefix?: string | undefined
  /** Least time between two looks at one key. @default 1_000 */
  lookEveryMs?: number | undefined
  /** How long the cache may take. @default 500 */
  timeoutMs?: number | undefined
  /** Life of an entry that says closed, or held open by hand; one that says open lives as long as that is true. @default 3_600_000 */
  keepMs?: number | undefined
  /** Told when the cache fails. What it throws is ignored. @default nobody */
  onError?: ((error: unknown) => void) | undefined
}

/**
 * What a process says of a breaker. It holds no time of day, for the clocks of processes differ and jump: how long it holds is told
 * as a duration, and what follows upon what by a count (L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", 1978).
 */
interface Word {
  readonly state: 'open' | 'closed'
  readonly by: string
  /** Above that of every word that its speaker had heard or said. */
  readonly version: number
  /** How long it stays open, from when it was said; null while it is held open by hand, 0 when it is closed. */
  readonly openMs: number | null
}

/** What lies in the cache: what breakers found out, and what somebody decided. Apart, for probes don't end what is held open by hand. */
interface Words {
  readonly found?: Word | undefined
  readonly byHand?: Word | undefined
}

/** What was said of one breaker, as far as this process knows. */
interface Talk {
  nextLookMs: number
  isLooking: boolean
  /** The words that hold, be they this process's own or another's. */
  found: Word | undefined
  byHand: Word | undefined
  /** The version of the latest word of each process: an older one that reaches the cache late is no news. */
  readonly heard: Map<string, number>
}

/** Does what another process says: goes to that state, open for so long. */
type Follow = (state: 'open' | 'closed', openMs: number) => void

/** Processes whose latest word is remembered for each breaker. */
const MOST_PROCESSES = 100

/**
 * What a process says of a breaker reaches the others, whatever is lost or late on the way: who finds an outdated word in the cache
 * puts the latest that he knows in its place. The cache is asked in the background alone: no call waits for it.
 */
export class SharedStates {
  readonly #options: SharedStateOptions
  readonly #clock: Clock
  readonly #prefix: string
  readonly #lookEveryMs: number
  readonly #timeoutMs: number
  readonly #keepMs: number
  readonly #talks = new WeakMap<ManagedState, Talk>()
  readonly #ended = new AbortController()
  readonly #me = randomUUID()
  #version = 0

  constructor(options: SharedStateOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#prefix = options.keyPrefix ?? 'smart-whale:breaker:'
    this.#lookEveryMs = durationOption('lookEveryMs', options.lookEveryMs ?? 1_000)
    this.#timeoutMs = durationOption('timeoutMs', options.timeoutMs ?? 500, 1)
    this.#keepMs = durationOption('keepMs', options.keepMs ?? 3_600_000, 1)
  }

  publish(managed: ManagedState, { from, to, reason }: Pick<StateChange, 'from' | 'to' | 'reason'>, openMs: number): void {
    // Who probes is each process's own affair.
    if (to === 'half-open') return
    const talk = this.#talkOf(managed)
    const word: Word = { state: to, by: this.#me, version: this.#version + 1, openMs: to === 'closed' ? 0 : openMs === Infinity ? null : openMs }
    const isHeld = word.openMs === null
    if (!isHeld) talk.found = word
    if (isHeld || (to === 'closed' && (reason === 'reset' || from === 'open'))) talk.byHand = word
    this.#note(talk, word)
    this.#put(managed, this.#holding(managed, talk))
  }

  look(managed: ManagedState, nowMs: number, follow: Follow): void {
    const talk = this.#talkOf(managed)
    if (nowMs < talk.nextLookMs || talk.isLooking) return
    talk.nextLookMs = nowMs + this.#lookEveryMs
    talk.isLooking = true
    this.#listen(managed, talk, follow)
      .catch(this.#tell)
      .finally(() => (talk.isLooking = false))
  }

  dispose(): void {
    this.#ended.abort()
  }

  async #listen(managed: ManagedState, talk: Talk, follow: Follow): Promise<void> {
    const { era } = managed
    const read = await this.#inTime(() => this.#options.cache.get(this.#prefix + managed.key))
    const words = wordsOf(read)
    const found = this.#counts(talk, words.found, talk.found) ? words.found : undefined
    const byHand = this.#counts(talk, words.byHand, talk.byHand) ? words.byHand : undefined
    const openMs = found === undefined ? 0 : await this.#stillOpenMs(managed, found)
    // What happened here meanwhile is newer than what was read: another look will tell.
    if (managed.era !== era) return

    if (byHand !== undefined) {
      talk.byHand = byHand
      this.#note(talk, byHand)
      if (byHand.state === 'open' || isHeld(managed)) follow(byHand.state, byHand.state === 'open' ? Infinity : 0)
    }
    if (found !== undefined) {
      talk.found = found
      this.#note(talk, found)
      if (!isHeld(managed) && (found.state === 'closed' || openMs > 0)) follow(found.state, openMs)
    }
    const holding = this.#holding(managed, talk)
    if (isOutdated(words, holding)) this.#put(managed, holding)
  }

  /** Whether a word that lies there counts: one that was never heard, or of two that both were heard the one that all choose. */
  #counts({ heard }: Talk, word: Word | undefined, latest: Word | undefined): boolean {
    if (word === undefined) return false
    if (word.version > (heard.get(word.by) ?? 0)) return true
    if (latest === undefined || word.version === latest.version) return latest !== undefined && word.by > latest.by
    return word.version > latest.version
  }

  /** What is left of the time for which another process said that it stays open. */
  async #stillOpenMs(managed: ManagedState, { openMs }: Word): Promise<number> {
    const { cache } = this.#options
    if (!openMs || cache.ttl === undefined) return openMs ?? 0
    const leftSeconds = await this.#inTime(() => cache.ttl!(this.#prefix + managed.key))
    return leftSeconds === null ? openMs : Math.min(openMs, leftSeconds * 1000)
  }

  /** What this process would have the cache say. */
  #holding(managed: ManagedState, { found, byHand }: Talk): Words {
    const isOver = found?.state === 'open' && this.#leftMs(managed) <= 0
    return { byHand, found: isOver || isHeld(managed) ? undefined : found }
  }

  #leftMs({ state, openUntilMs }: ManagedState): number {
    return state === 'open' ? openUntilMs - this.#clock.monotonic() : 0
  }

  /** An entry that says open lives as long as that is true. */
  #put(managed: ManagedState, words: Words): void {
    if (words.found === undefined && words.byHand === undefined) return
    const lifeMs = words.found?.state === 'open' ? this.#leftMs(managed) : this.#keepMs
    this.#inTime(() => this.#options.cache.set(this.#prefix + managed.key, words, lifeMs / 1000)).catch(this.#tell)
  }

  #note({ heard }: Talk, { by, version }: Word): void {
    this.#version = Math.max(this.#version, version)
    const before = heard.get(by) ?? 0
    // Those heard lately last.
    heard.delete(by)
    heard.set(by, Math.max(before, version))
    for (const forgotten of heard.keys()) {
      if (heard.size <= MOST_PROCESSES) return
      heard.delete(forgotten)
    }
  }

  #talkOf(managed: ManagedState): Talk {
    let talk = this.#talks.get(managed)
    if (talk === undefined) {
      talk = { nextLookMs: 0, isLooking: false, found: undefined, byHand: undefined, heard: new Map() }
      this.#talks.set(managed, talk)
    }
    return talk
  }

  #inTime<T>(ask: () => Promise<T>): Promise<T> {
    return withDeadline(ask, { timeoutMs: this.#timeoutMs, clock: this.#clock, signal: this.#ended.signal, what: 'the shared breaker state' })
  }

  readonly #tell = (error: unknown): void => {
    if (!this.#ended.signal.aborted) notify(this.#options.onError, error)
  }
}

function isHeld({ state, openUntilMs }: ManagedState): boolean {
  return state === 'open' && openUntilMs === Infinity
}

/** Whether the cache lacks something that holds. That all is well needs no repeating when nobody says otherwise. */
function isOutdated(there: Words, { found, byHand }: Words): boolean {
  if (byHand !== undefined && !isSame(byHand, there.byHand)) return true
  return found !== undefined && !isSame(found, there.found) && (found.state === 'open' || there.found !== undefined)
}

function isSame(word: Word, other: Word | undefined): boolean {
  return word.by === other?.by && word.version === other.version
}

/** The cache belongs to all: what lies there may be anything. */
function wordsOf(value: unknown): Words {
  if (typeof value !== 'object' || value === null) return {}
  const { found, byHand } = value as { found?: unknown; byHand?: unknown }
  return { found: isWord(found) && found.openMs !== null ? found : undefined, byHand: isWord(byHand) ? byHand : undefined }
}

function isWord(value: unknown): value is Word {
  if (typeof value !== 'object' || value === null) return false
  const { state, by, version, openMs } = value as Partial<Word>
  const saysWhat = state === 'closed' || (state === 'open' && (openMs === null || (typeof openMs === 'number' && openMs >= 0)))
  return saysWhat && typeof by === 'string' && Number.isSafeInteger(version)
}
