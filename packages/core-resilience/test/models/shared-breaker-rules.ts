import type { FakeClock } from '@smart-whale/interfaces/testing'
import type { BreakerState } from '../../src/index.ts'
import type { LinkMode } from './shared-link.ts'

export const OPEN_MS = 500
export const LOOK_EVERY_MS = 100
export const TIMEOUT_MS = 150
export const KEEP_MS = 100_000

/** What somebody said. What follows upon what is told by the length of the longest chain of words that led to it. */
interface Word {
  readonly by: number
  readonly isOpen: boolean
  readonly version: number
}

/** What breakers found out, and what somebody decided by hand. */
export interface Words {
  readonly found: Word | undefined
  readonly byHand: Word | undefined
}

const NOTHING: Words = { found: undefined, byHand: undefined }

/** The one place that all see, as the model has it. */
export class Place {
  words = NOTHING
  untilMs = 0
  readonly late: (() => void)[] = []
  readonly clock: FakeClock

  constructor(clock: FakeClock) {
    this.clock = clock
  }

  read(nowMs: number): Words {
    return this.untilMs > nowMs ? this.words : NOTHING
  }
}

/** One process: a breaker that opens at the first failure and closes at the first success of a probe, and what it has heard. */
export class Process {
  state: BreakerState = 'closed'
  openUntilMs = 0
  changes = 0
  link: LinkMode = 'well'
  nextLookMs = 0
  /** Until when it waits for an answer of the place. */
  looksUntilMs = -1
  found: Word | undefined = undefined
  byHand: Word | undefined = undefined
  version = 0
  readonly heard: Record<number, number> = {}
  /** What an answer that comes at once brings about, after the call has been let in or not. */
  readonly afterwards: (() => void)[] = []
  readonly id: number
  readonly place: Place
  /** Of two words that nobody can order, all take the one whose speaker has the greater name: given by chance, known after the fact. */
  readonly nameOf: (id: number) => string

  constructor(id: number, place: Place, nameOf: (id: number) => string) {
    this.id = id
    this.place = place
    this.nameOf = nameOf
  }

  get isHeld(): boolean {
    return this.state === 'open' && this.openUntilMs === Infinity
  }

  /** A call comes; whether it is let through. */
  begins(now: number): boolean {
    this.look(now)
    if (this.state === 'open' && now >= this.openUntilMs) this.become('half-open', 0)
    return this.state !== 'open'
  }

  ends(now: number, failed: boolean, change: number): void {
    if (change !== this.changes) return
    if (failed) {
      this.become('open', now + OPEN_MS)
      this.found = this.word(true)
      this.tell(now)
    } else if (this.state === 'half-open') {
      this.become('closed', 0)
      this.found = this.word(false)
      this.tell(now)
    }
  }

  trip(now: number): void {
    this.become('open', Infinity)
    this.byHand = this.word(true)
    this.tell(now)
  }

  reset(now: number): void {
    this.become('closed', 0)
    this.found = this.byHand = this.word(false)
    this.tell(now)
  }

  private become(state: BreakerState, openUntilMs: number): void {
    this.state = state
    this.openUntilMs = openUntilMs
    this.changes += 1
  }

  private word(isOpen: boolean): Word {
    this.version += 1
    this.heard[this.id] = this.version
    return { by: this.id, isOpen, version: this.version }
  }

  private leftMs(now: number): number {
    return this.state === 'open' ? this.openUntilMs - now : 0
  }

  private tells(now: number): Words {
    const hasFoundNothing = this.isHeld || (this.found?.isOpen === true && this.leftMs(now) <= 0)
    return { byHand: this.byHand, found: hasFoundNothing ? undefined : this.found }
  }

  private tell(now: number): void {
    const words = this.tells(now)
    if (words.found === undefined && words.byHand === undefined) return
    const life = words.found?.isOpen === true ? this.leftMs(now) : KEEP_MS
    const land = (at: number): void => {
      this.place.words = words
      this.place.untilMs = at + life
    }
    if (this.link === 'well' || this.link === 'unheard') land(now)
    if (this.link === 'late') this.place.late.push(() => land(this.place.clock.monotonic()))
  }

  private look(now: number): void {
    if (now < this.nextLookMs || now < this.looksUntilMs) return
    this.nextLookMs = now + LOOK_EVERY_MS
    const words = this.place.read(now)
    const change = this.changes
    if (this.link === 'well') this.afterwards.push(() => this.hear(words, now, change))
    if (this.link === 'hangs' || this.link === 'late') this.looksUntilMs = now + TIMEOUT_MS
    if (this.link !== 'late') return
    const answerBy = this.looksUntilMs
    this.place.late.push(() => {
      const at = this.place.clock.monotonic()
      if (at >= answerBy) return
      this.looksUntilMs = -1
      this.hear(words, at, change)
    })
  }

  private hear(words: Words, now: number, change: number): void {
    if (change !== this.changes) return
    const [byHand, found] = [this.counts(words.byHand, this.byHand), this.counts(words.found, this.found)]
    if (byHand !== undefined) {
      this.byHand = byHand
      if (byHand.isOpen && !this.isHeld) this.become('open', Infinity)
      if (!byHand.isOpen && this.isHeld) this.become('closed', 0)
    }
    if (found !== undefined) {
      this.found = found
      const leftMs = this.place.untilMs > now ? this.place.untilMs - now : OPEN_MS
      if (!this.isHeld && !found.isOpen && this.state !== 'closed') this.become('closed', 0)
      if (this.state !== 'open' && found.isOpen) this.become('open', now + Math.min(OPEN_MS, leftMs))
    }
    for (const { by, version } of [byHand, found].filter((word) => word !== undefined)) {
      this.version = Math.max(this.version, version)
      this.heard[by] = Math.max(this.heard[by] ?? 0, version)
    }
    const mine = this.tells(now)
    const lacksHand = mine.byHand !== undefined && mine.byHand !== words.byHand
    const lacksFound = mine.found !== undefined && mine.found !== words.found && (mine.found.isOpen || words.found !== undefined)
    if (lacksHand || lacksFound) this.tell(now)
  }

  /** A word counts when it was never heard; or when it is the one that all choose of two that were. */
  private counts(word: Word | undefined, latest: Word | undefined): Word | undefined {
    if (word === undefined || word.version > (this.heard[word.by] ?? 0)) return word
    if (latest === undefined || word === latest) return undefined
    const isGreater = word.version > latest.version || (word.version === latest.version && this.nameOf(word.by) > this.nameOf(latest.by))
    return isGreater ? word : undefined
  }
}
