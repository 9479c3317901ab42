import { type Clock, type Logger, OperationError, type TimerHandle } from '@smart-whale/interfaces'
import { within } from './within.ts'
import { CLOCK_DRIFT, LEASE_MS, RENEW_EVERY_MS, RENEWAL_TIMEOUT_MS } from './lease-times.ts'
import type { Invalidation, RecordedInvalidation, RecordReply, Renewal, RenewalReply, SharedCache, SharedListener } from './shared-cache.ts'

/** What a link tells its node. Both are carried out at once, before the link goes on. */
export interface LinkFollower {
  follow(invalidation: Invalidation): void
  forgetAll(): void
  onSettled(key: string): void
}

/** What a link is made of. */
export interface LinkParts {
  readonly node: string
  readonly shared: SharedCache
  readonly follower: LinkFollower
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Keeps a node's lease: while {@link isLeased}, every acknowledged invalidation has been followed here. What makes that true is the renewal alone, which brings
 * what was missed; messages only make it fast.
 */
export class NodeLink implements SharedListener {
  readonly #parts: LinkParts
  #run = ''
  #followed = 0
  /** Mark of what was followed last. */
  #mark = ''
  #leasedUntilMs = -Infinity
  /** Whether the server answered lately: nobody else pays for finding out that it doesn't. */
  #answers = false
  /** Grows when the server was found not to answer: a renewal that began before that says nothing. */
  #doubts = 0
  readonly #toTell = new Set<string>()
  #renewing: Promise<void> | undefined
  #renewAgain = false
  #timer: TimerHandle | undefined
  #isOpen = false
  /** Told whenever some node has followed further, or may be waited for no longer. */
  readonly #followedBy = new Map<string, { readonly run: string; readonly followed: number }>()
  readonly #waiting = new Set<() => void>()

  constructor(parts: LinkParts) {
    this.#parts = parts
  }

  get run(): string {
    return this.#run
  }

  get followed(): number {
    return this.#followed
  }

  /** The mark of the newest invalidation that it has followed. */
  get mark(): string {
    return this.#mark
  }

  /** Whether memory may be answered from at this moment of the clock. */
  isLeased(nowMs: number): boolean {
    return nowMs < this.#leasedUntilMs
  }

  /** How long ago the lease ran out; 0 while it is valid. */
  unleasedMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#leasedUntilMs)
  }

  /** Whether the shared layer is worth asking. */
  isUsable(nowMs: number): boolean {
    return this.#answers && this.isLeased(nowMs)
  }

  /** Goes on where this node has been before: what was invalidated since then is followed with the first lease, or everything forgotten if that isn't known any more. */
  resumeFrom({ run, followed, mark }: Pick<Renewal, 'run' | 'followed' | 'mark'>): void {
    if (this.#isOpen) return
    this.#run = run
    this.#followed = followed
    this.#mark = mark
  }

  /** Connects and asks for the first lease; doesn't wait for a server that isn't there. */
  async open(): Promise<void> {
    if (this.#isOpen) return
    this.#isOpen = true
    await this.#parts.shared.connect(this)
    await this.renew()
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#parts.clock.clearTimeout(this.#timer)
    this.#leasedUntilMs = -Infinity
    this.#wakeWaiting()
    await this.#renewing
    await this.#parts.shared.disconnect()
  }

  /** Somebody got no answer: the layer is left alone until a renewal has succeeded. */
  suspect(): void {
    this.#doubts += 1
    if (!this.#answers) return
    this.#answers = false
    void this.renew()
  }

  /** Asks for a lease now; one request at a time, and one more after it if it is asked for meanwhile. Never fails. */
  renew(): Promise<void> {
    if (this.#renewing !== undefined) {
      this.#renewAgain = true
      return this.#renewing
    }
    this.#parts.clock.clearTimeout(this.#timer)
    this.#renewAgain = false
    this.#renewing = this.#renewOnce().finally(() => {
      this.#renewing = undefined
      if (!this.#isOpen) return
      if (this.#renewAgain) {
        this.#renewAgain = false
        void this.renew()
      } else {
        this.#timer = this.#parts.clock.setTimeout(() => void this.renew(), RENEW_EVERY_MS)
      }
    })
    return this.#renewing
  }

  onInvalidation(recorded: RecordedInvalidation): void {
    if (recorded.run === this.#run && recorded.number === this.#followed + 1) this.#follow(recorded)
    else if (recorded.origin !== this.#parts.node) this.#toTell.add(recorded.origin)
    // Something is missing before it, or the run is another one: the renewal brings it.
    if (recorded.origin !== this.#parts.node || recorded.run !== this.#run) void this.renew()
  }

  onFollowed(node: string, run: string, followed: number): void {
    this.#followedBy.set(node, { run, followed: Math.max(followed, this.#followedOf(node, run)) })
    this.#wakeWaiting()
  }

  onSettled(key: string): void {
    this.#parts.follower.onSettled(key)
  }

  onBroken(): void {
    if (this.#isOpen) this.suspect()
  }

  /** Resolves when no node can answer with what was recorded as invalid any more. */
  async waitForAll({ run, number, nodes, isYoung }: RecordReply): Promise<void> {
    const { clock, node, shared } = this.#parts
    const leasesEndAtMs = clock.monotonic() + LEASE_MS * (1 + CLOCK_DRIFT)
    const others = nodes.filter((other) => other.node !== node)
    const late = () => others.filter((other) => Math.max(other.followed, this.#followedOf(other.node, run)) < number)
    while ((isYoung || late().length > 0) && clock.monotonic() < leasesEndAtMs) await this.#changeBefore(leasesEndAtMs)
    if (!this.#isOpen) throw new OperationError('the cache was closed before all nodes had confirmed an invalidation', { code: 'ERR_ABORTED' })
    const dead = late()
    if (dead.length > 0) await within(clock, RENEWAL_TIMEOUT_MS, 'striking off nodes', shared.strike(dead)).catch(() => {})
    for (const { node: name } of dead) this.#followedBy.delete(name)
  }

  #followedOf(node: string, run: string): number {
    const known = this.#followedBy.get(node)
    return known?.run === run ? known.followed : 0
  }

  #changeBefore(atMs: number): Promise<void> {
    const { clock } = this.#parts
    return new Promise((resolve) => {
      const done = (): void => {
        clock.clearTimeout(timer)
        this.#waiting.delete(done)
        resolve()
      }
      const timer = clock.setTimeout(done, this.#isOpen ? atMs - clock.monotonic() : 0)
      this.#waiting.add(done)
    })
  }

  #wakeWaiting(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  async #renewOnce(): Promise<void> {
    const { clock, shared, node, logger } = this.#parts
    const askedAtMs = clock.monotonic()
    const doubts = this.#doubts
    const tell = [...this.#toTell]
    try {
      const asked = { node, run: this.#run, followed: this.#followed, mark: this.#mark, tell }
      const reply = await within(clock, RENEWAL_TIMEOUT_MS, 'renewing the lease', shared.renew(asked))
      for (const told of tell) this.#toTell.delete(told)
      if (!this.#isOpen) return
      this.#catchUp(reply)
      this.#leasedUntilMs = Math.max(this.#leasedUntilMs, askedAtMs + LEASE_MS * (1 - CLOCK_DRIFT))
      if (doubts === this.#doubts) this.#answers = true
    } catch (error) {
      if (this.#answers) logger.warn({ error }, 'the shared layer of the cache does not answer')
      this.#doubts += 1
      this.#answers = false
      if (this.#isOpen) shared.redial()
    }
  }

  #catchUp({ run, newest, mark, missed }: RenewalReply): void {
    if (missed === undefined || run !== this.#run) {
      this.#parts.follower.forgetAll()
      this.#run = run
      this.#followed = newest
      this.#mark = mark
      // Registered with nothing followed so far: the next renewal says how far.
      this.#renewAgain = true
      return
    }
    // Messages may have come meanwhile, and further than the reply.
    for (const recorded of missed) if (recorded.number === this.#followed + 1) this.#follow(recorded)
    if (this.#followed === newest) this.#mark = mark
  }

  #follow({ number, mark, origin, invalidation }: RecordedInvalidation): void {
    this.#parts.follower.follow(invalidation)
    this.#followed = number
    this.#mark = mark
    if (origin !== this.#parts.node) {
      this.#toTell.add(origin)
      this.#renewAgain = true
    }
  }
}
