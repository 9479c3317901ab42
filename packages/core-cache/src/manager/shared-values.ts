import { compose, createTimeout } from '@smart-whale/core-resilience'
import type { Clock, Policy } from '@smart-whale/interfaces'
import { decodeValue } from '../codec/decode-value.ts'
import { type EnvelopeFacts, openEnvelope, sealEnvelope, TOKEN_LENGTH, TOKEN_START } from '../codec/envelope.ts'
import type { NodeLink } from '../shared/node-link.ts'
import type { SharedCache } from '../shared/shared-cache.ts'
import type { CacheMetrics } from './cache-metrics.ts'
import { foundIn, type FoundValue } from './found-value.ts'

/** What the shared layer holds for a key. */
export interface SharedAnswer {
  /** Undefined for a miss, for what was invalidated, and for what nobody of ours wrote. */
  readonly found: FoundValue | undefined
  /** Token of the payload, usable or not; empty when there is none. */
  readonly token: string
}

/** Values as they stand in the shared layer: read, judged and written. Never fails: who doesn't answer in time holds nothing. */
export class SharedValues {
  readonly #shared: SharedCache
  readonly #link: NodeLink
  readonly #clock: Clock
  /** The first request that takes too long, or fails, costs that; the others are refused until the link has found that the layer answers again. */
  readonly #policy: Policy
  readonly #metrics: CacheMetrics

  constructor(parts: { readonly shared: SharedCache; readonly link: NodeLink; readonly clock: Clock; readonly timeoutMs: number; readonly metrics: CacheMetrics }) {
    this.#shared = parts.shared
    this.#link = parts.link
    this.#clock = parts.clock
    this.#policy = compose(parts.link.breaker, createTimeout({ timeoutMs: parts.timeoutMs, what: "the shared layer's answer", clock: parts.clock }))
    this.#metrics = parts.metrics
  }

  async read(key: string): Promise<SharedAnswer> {
    const payload = await this.ask('read', () => this.#shared.read(key))
    return payload === undefined ? { found: undefined, token: '' } : this.judge(payload)
  }

  /** What a payload is worth. */
  async judge(payload: string): Promise<SharedAnswer> {
    const token = payload.slice(TOKEN_START, TOKEN_START + TOKEN_LENGTH)
    const envelope = openEnvelope(payload)
    const decoded = envelope && decodeValue(envelope.body)
    if (envelope === undefined || decoded === undefined) {
      this.#metrics.countForeign()
      return { found: undefined, token }
    }
    if (!(await this.#isValid(envelope))) return { found: undefined, token }
    return { found: foundIn(envelope, decoded.value, this.#clock), token }
  }

  /** Stores a value that was loaded under a token; whether it was still there. */
  async fill(key: string, facts: EnvelopeFacts, body: string): Promise<boolean> {
    const lifeMs = Math.ceil(facts.freshMs + facts.staleMs)
    const stored = await this.ask('fill', () => this.#shared.fill(key, facts.token, sealEnvelope(facts, body), lifeMs))
    if (stored === undefined) await this.ask('give up', () => this.#shared.giveUp(key, facts.token, undefined, 1))
    return stored === true
  }

  /** A request that may go unanswered: `undefined` then, and the layer is left alone until it answers again. */
  async ask<R>(what: string, request: () => Promise<R>): Promise<R | undefined> {
    try {
      return await this.#policy.execute(request)
    } catch {
      this.#metrics.countSharedFailure(what)
      return undefined
    }
  }

  /** Whether neither everything nor one of its tags has been invalidated since its load began. */
  async #isValid({ run, followed, tags }: EnvelopeFacts): Promise<boolean> {
    if (run !== this.#link.run) return false
    if (tags.length === 0) return true
    const answer = await this.ask('tags', () => this.#shared.tagNumbers(tags))
    return answer !== undefined && answer.run === run && answer.numbers.every((number) => number <= followed)
  }
}
