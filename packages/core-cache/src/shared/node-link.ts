import { type Breaker, createBreaker, outsideOfCalls, type RecoveryStrategy, withDeadline } from '@smart-whale/core-resilience'
import { type Clock, type Logger, type MetricsSink, OperationError, type TimerHandle } from '@smart-whale/interfaces'
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
  readonly metrics: MetricsSink
}

/** Renewals find out when the server answers again: no caller's request is risked for that. */
const BY_RENEWAL: RecoveryStrategy = { openMs: () => Infinity }

/**
 * Keeps a node's lease: while {@link isLeased}, every acknowledged invalidation has been followed here. What makes that true is the renewal alone, which brings
 * what was missed; messages only make it fast.
 */
export class NodeLink implements SharedListener {
  /** Closed while the server answers. The first request that gets no answer opens it, and no other pays for finding out; only a renewal closes it. */
  readonly breaker: Breaker
  readonly #parts: LinkParts
  #run = ''
  #followed = 0
  /** Mark of what was followed last. */
  #mark = ''
  #leasedUntilMs = -Infinity
  readonly #toTell = new Set<string>()
  #renewing: Promise<void> | undefined
  #renewAgain = false
  #timer: TimerHandle | undefined
  #isOpen = false
  /** Told whenever some node has followed further, or may be waited for no longer. */
  readonly #followedBy = new Map<string, { readonly run: string; readonly followed: number }>()
  readonly #waiting = new Set<() => void>()

  constructor(parts: LinkParts) {
    const { clock, metrics } = parts
    this.#parts = parts
    this.breaker = createBreaker({
      name: 'cache: shared layer', consecutiveFailures: 1, minimumCalls: Infinity, recovery: BY_RENEWAL, clock, metrics,
      isFailure: (error) => !isRefusal(error),
      onStateChange: ({ reason }) => void (reason === 'consecutive_failures' && this.renew()),
    })
    this.breaker.trip()
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
    return this.breaker.state === 'closed' && this.isLeased(nowMs)
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
    const isNews = this.breaker.state === 'closed'
    // A renewal that is under way began before this, and is not to close it.
    if (isNews || this.#renewing !== undefined) this.breaker.trip()
    if (isNews) void this.renew()
  }

  /** Asks for a lease now; one request at a time, and one more after it if it is asked for meanwhile. Never fails. A link that is closed asks for none. */
  renew(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve()
    if (this.#renewing !== undefined) {
      this.#renewAgain = true
      return this.#renewing
    }
    this.#parts.clock.clearTimeout(this.#timer)
    this.#renewAgain = false
    this.#renewing = outsideOfCalls(() => this.#renewOnce()).finally(() => {
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
    while (this.#isOpen && (isYoung || late().length > 0) && clock.monotonic() < leasesEndAtMs) await this.#changeBefore(leasesEndAtMs)
    if (!this.#isOpen) throw new OperationError('the cache was closed before all nodes had confirmed an invalidation', { code: 'ERR_ABORTED' })
    const dead = late()
    if (dead.length > 0) await withDeadline(() => shared.strike(run, dead), { timeoutMs: RENEWAL_TIMEOUT_MS, what: 'striking off nodes', clock }).catch(() => {})
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
      const timer = clock.setTimeout(done, atMs - clock.monotonic())
      this.#waiting.add(done)
    })
  }

  #wakeWaiting(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  async #renewOnce(): Promise<void> {
    const { clock, shared, node, logger } = this.#parts
    const askedAtMs = clock.monotonic()
    // What was found out after this renewal began, it can't refute.
    const { era } = this.breaker.details
    const tell = [...this.#toTell]
    try {
      const asked = { node, run: this.#run, followed: this.#followed, mark: this.#mark, tell }
      const reply = await withDeadline(() => shared.renew(asked), { timeoutMs: RENEWAL_TIMEOUT_MS, what: 'renewing the lease', clock })
      for (const told of tell) this.#toTell.delete(told)
      if (!this.#isOpen) return
      this.#catchUp(reply)
      this.#leasedUntilMs = Math.max(this.#leasedUntilMs, askedAtMs + LEASE_MS * (1 - CLOCK_DRIFT))
      if (era === this.breaker.details.era) this.breaker.reset()
    } catch (error) {
      if (this.breaker.state === 'closed') {
        logger.warn({ error }, 'the shared layer of the cache does not answer')
        this.breaker.trip()
      }
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

/** A server that refuses one command (full, read-only) answers all the same. */
const isRefusal = (error: unknown): boolean => typeof error === 'object' && error !== null && (error as { name?: unknown }).name === 'ReplyError'
