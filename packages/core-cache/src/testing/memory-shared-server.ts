import { type Clock, compileGlob } from '@smart-whale/interfaces'
import { TOKEN_LENGTH, TOKEN_START } from '../codec/envelope.ts'
import { newToken } from '../manager/load-token.ts'
import { LEASE_MS } from '../shared/lease-times.ts'
import type { ClaimReply, ClaimRequest, Invalidation, RecordedInvalidation, RecordReply, RegisteredNode, Renewal, RenewalReply, SharedCache, SharedListener } from '../shared/shared-cache.ts'

const MOST_LOGGED = 1000

/** How requests, replies and messages travel: resolves when it has arrived, rejects when it is lost. */
export type Carry = (what: 'request' | 'reply' | 'message') => Promise<void>

/** State of a server at a moment. */
export class ServerCopy {
  readonly values: ReadonlyMap<string, { readonly payload: string; readonly expiresAtMs: number }>
  readonly tokens: ReadonlyMap<string, Token>
  readonly coordination: Coordination | undefined

  constructor(values: ServerCopy['values'], tokens: ServerCopy['tokens'], coordination: Coordination | undefined) {
    this.values = new Map(values)
    this.tokens = new Map([...tokens].map(([key, token]) => [key, { ...token }]))
    this.coordination = coordination && { ...coordination, log: new Map(coordination.log), tags: new Map(coordination.tags), nodes: new Map(coordination.nodes) }
  }
}

interface Token {
  readonly token: string
  failure: string | undefined
  expiresAtMs: number
  isAwaited: boolean
}

interface Coordination {
  readonly run: string
  sinceMs: number
  newest: number
  readonly log: Map<number, RecordedInvalidation>
  readonly tags: Map<string, number>
  readonly server: number
  readonly nodes: Map<string, { followed: number; renewals: number }>
}

/**
 * What Redis does for the nodes of a cache, in the memory of this process: for tests of code that runs on several nodes. Every step is atomic, as a script is;
 * how long the ways to it and from it take, and what gets lost, the test decides.
 */
export class MemorySharedServer {
  readonly #clock: Clock
  #values = new Map<string, { readonly payload: string; readonly expiresAtMs: number }>()
  #tokens = new Map<string, Token>()
  readonly #listeners = new Map<SharedListener, Carry>()
  #coordination: Coordination | undefined
  #runs = 0
  /** No number comes twice: a node that was struck off and is back is not taken for the one that was away. */
  #renewals = 0
  /** Which server answers: a failover puts another one in its place. */
  #server = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The server as one node sees it. */
  layerFor(carry: Carry = async () => {}): SharedCache {
    let mine: SharedListener | undefined
    const call = async <R>(step: () => R): Promise<R> => {
      const asked = this.#server
      await carry('request')
      if (asked !== this.#server) throw new TypeError('the connection broke')
      const result = step()
      await carry('reply')
      if (asked !== this.#server) throw new TypeError('the connection broke')
      return result
    }
    return {
      connect: async (listener) => {
        mine = listener
        this.#listeners.set(listener, carry)
      },
      disconnect: async () => void this.#listeners.delete(mine as SharedListener),
      redial: () => {},
      read: (key) => call(() => this.#valueOf(key)),
      tagNumbers: (tags) => call(() => ({ run: this.#ensured().run, numbers: tags.map((tag) => this.#ensured().tags.get(tag) ?? 0) })),
      claim: (request) => call(() => this.#claim(request)),
      prolong: (key, token, lifeMs) => call(() => this.#prolong(key, token, lifeMs)),
      fill: (key, token, payload, lifeMs) => call(() => this.#fill(key, token, payload, lifeMs)),
      giveUp: (key, token, failure, failureMs) => call(() => this.#giveUp(key, token, failure, failureMs)),
      remove: (keys) => call(() => keys.forEach((key) => this.#remove(key))),
      removeMatching: (pattern) => call(() => this.#removeMatching(pattern)),
      renew: (renewal) => call(() => this.#renew(renewal)),
      record: (origin, invalidation) => call(() => this.#record(origin, invalidation)),
      strike: (run, nodes) => call(() => this.#strike(run, nodes)),
    }
  }

  /** Everything is gone, as after a restart without persistence. */
  restartEmpty(): void {
    this.#values.clear()
    this.#tokens.clear()
    this.#coordination = undefined
  }

  /** What a replica holds that has got everything so far. */
  copy(): ServerCopy {
    return new ServerCopy(this.#values, this.#tokens, this.#coordination)
  }

  /** A replica takes over, without what was written after it was copied. All connections break. */
  failOver(copy: ServerCopy): void {
    this.#server += 1
    const { values, tokens, coordination } = new ServerCopy(copy.values, copy.tokens, copy.coordination)
    this.#values = new Map(values)
    this.#tokens = new Map(tokens)
    this.#coordination = coordination
    for (const listener of this.#listeners.keys()) listener.onBroken()
  }

  #ensured(): Coordination {
    if (this.#coordination?.server !== this.#server) this.#coordination = undefined
    this.#coordination ??= { run: `${++this.#runs}-${newToken()}`, server: this.#server, sinceMs: this.#clock.monotonic(), newest: 0, log: new Map(), tags: new Map(), nodes: new Map() }
    return this.#coordination
  }

  #valueOf(key: string): string | undefined {
    const held = this.#values.get(key)
    return held !== undefined && held.expiresAtMs > this.#clock.monotonic() ? held.payload : undefined
  }

  #tokenOf(key: string): Token | undefined {
    const held = this.#tokens.get(key)
    return held !== undefined && held.expiresAtMs > this.#clock.monotonic() ? held : undefined
  }

  #claim({ key, token, lifeMs, unusable, waitedFor }: ClaimRequest): ClaimReply {
    const payload = this.#valueOf(key)
    if (payload !== undefined && payload.slice(TOKEN_START, TOKEN_START + TOKEN_LENGTH) !== unusable) return { kind: 'value', payload }
    const held = this.#tokenOf(key)
    if (held !== undefined && held.failure === undefined) {
      held.isAwaited = true
      return { kind: 'busy', holder: held.token, leftMs: held.expiresAtMs - this.#clock.monotonic() }
    }
    if (held?.failure !== undefined && held.token === waitedFor) return { kind: 'failed', holder: held.token, failure: held.failure }
    this.#tokens.set(key, { token, failure: undefined, expiresAtMs: this.#clock.monotonic() + lifeMs, isAwaited: false })
    return { kind: 'granted' }
  }

  #prolong(key: string, token: string, lifeMs: number): boolean {
    const held = this.#tokenOf(key)
    if (held?.token !== token || held.failure !== undefined) return false
    held.expiresAtMs = this.#clock.monotonic() + lifeMs
    return true
  }

  #fill(key: string, token: string, payload: string, lifeMs: number): boolean {
    const held = this.#tokenOf(key)
    if (held?.token !== token || held.failure !== undefined) return false
    this.#values.set(key, { payload, expiresAtMs: this.#clock.monotonic() + lifeMs })
    this.#tokens.delete(key)
    if (held.isAwaited) this.#publish((listener) => listener.onSettled(key))
    return true
  }

  #giveUp(key: string, token: string, failure: string | undefined, failureMs: number): void {
    const held = this.#tokenOf(key)
    if (held?.token !== token || held.failure !== undefined) return
    if (failure === undefined) this.#tokens.delete(key)
    else Object.assign(held, { failure, expiresAtMs: this.#clock.monotonic() + failureMs })
    if (held.isAwaited) this.#publish((listener) => listener.onSettled(key))
  }

  #remove(key: string): void {
    this.#values.delete(key)
    this.#tokens.delete(key)
  }

  #removeMatching(pattern: string): void {
    const matches = compileGlob(pattern)
    for (const key of [...this.#values.keys(), ...this.#tokens.keys()]) if (matches(key)) this.#remove(key)
  }

  #renew({ node, run, followed, mark, tell }: Renewal): RenewalReply {
    const known = this.#ensured()
    if (known.run === run && (followed > known.newest || (mark !== '' && (known.log.get(followed)?.mark ?? mark) !== mark))) this.#coordination = undefined
    const current = this.#ensured()
    const isSame = current.run === run && (followed === current.newest || current.log.has(followed + 1))
    current.nodes.set(node, { followed: isSame ? followed : -1, renewals: ++this.#renewals })
    if (isSame && tell.length > 0) this.#publish((listener) => listener.onFollowed(node, run, followed))
    const missed: RecordedInvalidation[] = []
    for (let number = followed + 1; isSame && number <= current.newest; number++) missed.push(current.log.get(number) as RecordedInvalidation)
    return { run: current.run, newest: current.newest, mark: current.log.get(current.newest)?.mark ?? '', missed: isSame ? missed : undefined }
  }

  #record(origin: string, invalidation: Invalidation): RecordReply {
    if (invalidation.all === true) this.#startAnew()
    const current = this.#ensured()
    const number = ++current.newest
    const recorded = { run: current.run, number, mark: newToken(), origin, invalidation }
    current.log.set(number, recorded)
    current.log.delete(number - MOST_LOGGED)
    for (const tag of invalidation.tags ?? []) current.tags.set(tag, number)
    this.#publish((listener) => listener.onInvalidation(recorded))
    const nodes = [...current.nodes].map(([node, { followed, renewals }]) => ({ node, followed, renewals }))
    return { run: current.run, number, nodes, isYoung: this.#clock.monotonic() - current.sinceMs < 2 * LEASE_MS }
  }

  /** Everything is invalid: another run says so to whoever reads a value of this one. The nodes stay known. */
  #startAnew(): void {
    const { nodes, sinceMs } = this.#ensured()
    this.#coordination = undefined
    const current = this.#ensured()
    current.sinceMs = sinceMs
    for (const [node, { renewals }] of nodes) current.nodes.set(node, { followed: -1, renewals })
  }

  #strike(run: string, nodes: readonly RegisteredNode[]): void {
    const { nodes: known, run: current } = this.#ensured()
    if (run !== current) return
    for (const { node, renewals } of nodes) if (known.get(node)?.renewals === renewals) known.delete(node)
  }

  /** Messages to one listener keep their order, as on a connection. */
  #publish(tell: (listener: SharedListener) => void): void {
    const said = this.#server
    for (const [listener, carry] of this.#listeners) carry('message').then(() => said === this.#server && tell(listener), () => {})
  }
}
