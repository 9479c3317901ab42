import { withDeadline } from '@smart-whale/core-resilience'
import type { Clock, TimerHandle } from '@smart-whale/interfaces'
import { closedError, loadFailedElsewhereError } from '../errors.ts'
import { copyForCache } from '../l1/copy-value.ts'
import type { NodeLink } from '../shared/node-link.ts'
import type { SharedCache } from '../shared/shared-cache.ts'
import type { CacheMetrics } from './cache-metrics.ts'
import { factsOf, type FoundValue, textOf } from './found-value.ts'
import { newToken } from './load-token.ts'
import type { ManagerSettings, ReadSettings } from './manager-options.ts'
import { belongsInShared, type Places } from './place-value.ts'
import { type Loader, runLoader } from './run-loader.ts'
import type { SharedValues } from './shared-values.ts'

/** Life of a load token whose holder doesn't prolong it: what the others wait when a holder dies. */
const TOKEN_LIFE_MS = 2_000
const PROLONG_EVERY_MS = 600
/** So often a set puts an end to loads of others: one may begin anew in between. */
const MOST_TAKEOVERS = 8
/** How long a failure is there to be seen by those who wait. */
const FAILURE_MS = 2_000
/** Pauses of those who wait, should the message not reach them. */
const FIRST_PAUSE_MS = 25
const LONGEST_PAUSE_MS = 250

/** A load to be done once, wherever. */
export interface LoadRequest {
  readonly key: string
  readonly loader: Loader<unknown>
  readonly read: ReadSettings
  /** Token of the value in the shared layer that won't do; empty for none. */
  readonly unusable: string
  /** Asked before each look at the shared layer: whether a value that another node has loaded, and that this look brings, will do. */
  readonly usableFromNow: () => (found: FoundValue) => boolean
}

/** The shared half of a load. */
export interface LoadThroughShared {
  readonly shared: SharedCache
  readonly values: SharedValues
  readonly link: NodeLink
  readonly places: Places
}

/** Loads a key: here, if nobody else does; else takes what the others get. */
export class LoadOnce {
  readonly #settings: ManagerSettings
  readonly #clock: Clock
  readonly #metrics: CacheMetrics
  readonly #through: LoadThroughShared | undefined
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #loads = new Set<Promise<unknown>>()
  /** What tells the shared layer of them. */
  readonly #fills = new Set<Promise<unknown>>()
  #closing = new AbortController()

  constructor(settings: ManagerSettings, metrics: CacheMetrics, through: LoadThroughShared | undefined) {
    this.#settings = settings
    this.#clock = settings.clock
    this.#metrics = metrics
    this.#through = through
  }

  /** The loaded value, or the loader's error. */
  load(request: LoadRequest): Promise<FoundValue> {
    return tracked(this.#loads, this.#load(request, this.#closing.signal))
  }

  async #load(request: LoadRequest, signal: AbortSignal): Promise<FoundValue> {
    if (this.#through === undefined) return this.#loadHere(request, newToken(), signal)
    const { link, shared, values } = this.#through
    const waitUntilMs = this.#clock.monotonic() + this.#settings.waitTimeoutMs
    const token = newToken()
    let { unusable } = request
    let waitedFor = ''
    let pauseMs = FIRST_PAUSE_MS
    while (!signal.aborted && link.isUsable(this.#clock.monotonic()) && this.#clock.monotonic() < waitUntilMs) {
      const isUsable = request.usableFromNow()
      const reply = await values.ask('claim', () => shared.claim({ key: request.key, token, lifeMs: TOKEN_LIFE_MS, unusable, waitedFor }))
      if (reply === undefined) break
      if (reply.kind === 'granted') return this.#loadUnderToken(request, token, this.#through, signal)
      if (reply.kind === 'failed') throw loadFailedElsewhereError(request.key, reply.failure)
      if (reply.kind === 'value') {
        const answer = await values.judge(reply.payload)
        if (answer.found !== undefined && isUsable(answer.found)) return answer.found
        // Nobody can replace what nobody of ours wrote: its token, if it has one, isn't where ours would be.
        if (answer.token === unusable) await values.ask('remove', () => shared.remove([request.key]))
        unusable = answer.token
        continue
      }
      waitedFor = reply.holder
      await this.#settledOr(request.key, Math.min(pauseMs, reply.leftMs + 5))
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5)
    }
    return this.#loadHere(request, token, signal)
  }

  /** Keeps a value that needs no loading, in the place of whatever others load meanwhile: what they get is not stored. */
  async store(request: Pick<LoadRequest, 'key' | 'loader' | 'read'>): Promise<FoundValue> {
    const token = newToken()
    const { signal } = this.#closing
    for (let tries = 0; this.#through !== undefined && tries < MOST_TAKEOVERS; tries++) {
      const { shared, values } = this.#through
      const reply = await values.ask('claim', () => shared.claim({ key: request.key, token, lifeMs: TOKEN_LIFE_MS, unusable: '', waitedFor: '' }))
      if (reply === undefined) break
      if (reply.kind === 'granted') return this.#loadUnderToken(request, token, this.#through, signal)
      await values.ask('remove', () => shared.remove([request.key]))
    }
    return this.#loadHere(request, token, signal)
  }

  /** Somebody says that a key, for which some wait here, is settled. */
  onSettled(key: string): void {
    for (const wake of [...(this.#waiting.get(key) ?? [])]) wake()
  }

  /** Gives loads a moment, then ends them; resolves when the shared layer has been told, and nothing is being stored any more. */
  async close(): Promise<void> {
    const closing = this.#closing
    this.#closing = new AbortController()
    const loads = [...this.#loads]
    const limits = { timeoutMs: this.#settings.closeTimeoutMs, clock: this.#clock, what: 'loads under way' }
    if (loads.length > 0) await withDeadline(() => Promise.all(loads), limits).catch(() => {})
    closing.abort(closedError())
    for (const key of [...this.#waiting.keys()]) this.onSettled(key)
    await Promise.all(loads)
    await Promise.all(this.#fills)
  }

  async #loadUnderToken(request: Pick<LoadRequest, 'key' | 'loader' | 'read'>, token: string, { link, shared, values, places }: LoadThroughShared, signal: AbortSignal): Promise<FoundValue> {
    const { key } = request
    const { run, followed } = link
    const stop = this.#prolong(key, token, shared)
    try {
      const found = await this.#loadHere(request, token, signal)
      const text = textOf(found)
      if (found.freshMs <= 0 || !belongsInShared(text, places)) {
        this.#inBackground(values.ask('give up', () => shared.giveUp(key, token, undefined, 1)))
        return found
      }
      this.#inBackground(values.fill(key, factsOf(found, run, followed, this.#clock), text))
      return found
    } catch (error) {
      // That this node was closed is no failure of the load: others who wait for it do it themselves.
      const failure = signal.aborted ? undefined : describeFailure(error)
      this.#inBackground(values.ask('give up', () => shared.giveUp(key, token, failure, FAILURE_MS)))
      throw error
    } finally {
      stop()
    }
  }

  async #loadHere({ key, loader, read }: Pick<LoadRequest, 'key' | 'loader' | 'read'>, token: string, signal: AbortSignal): Promise<FoundValue> {
    const startedAtMs = this.#clock.monotonic()
    try {
      const value = await runLoader(loader, key, { timeoutMs: this.#settings.loadTimeoutMs, clock: this.#clock, signal })
      const isNothing = value === undefined
      const copy = copyForCache(isNothing ? null : value)
      const tags = typeof read.tags === 'function' ? (isNothing ? [] : read.tags(value as never)) : (read.tags ?? [])
      this.#metrics.countLoad('loaded')
      const staleMs = isNothing ? 0 : Math.max(read.revalidateMs, read.ifErrorMs)
      const loadedAtMs = this.#clock.monotonic()
      return { copy, loadedAtMs, freshMs: isNothing ? read.negativeMs : read.freshMs, staleMs, loadMs: read.loadCostMs ?? loadedAtMs - startedAtMs, tags, isNothing, token }
    } catch (error) {
      this.#metrics.countLoad('failed')
      throw signal.aborted ? signal.reason : error
    }
  }

  /** Keeps the token while the load goes on. A token that is lost is lost: the value won't be stored, and that is right. */
  #prolong(key: string, token: string, shared: SharedCache): () => void {
    let timer: TimerHandle
    const again = (): void => {
      timer = this.#clock.setTimeout(() => {
        shared.prolong(key, token, TOKEN_LIFE_MS).catch(() => {})
        again()
      }, PROLONG_EVERY_MS)
    }
    again()
    return () => this.#clock.clearTimeout(timer)
  }

  #inBackground(work: Promise<unknown>): void {
    void tracked(this.#fills, work).catch(() => {})
  }

  #settledOr(key: string, pauseMs: number): Promise<void> {
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting)
    return new Promise((resolve) => {
      const done = (): void => {
        this.#clock.clearTimeout(timer)
        waiting.delete(done)
        if (waiting.size === 0) this.#waiting.delete(key)
        resolve()
      }
      const timer = this.#clock.setTimeout(done, pauseMs)
      waiting.add(done)
    })
  }
}

/** Keeps the end of work in a set until it is there. */
function tracked<R>(underWay: Set<Promise<unknown>>, work: Promise<R>): Promise<R> {
  const end: Promise<unknown> = work.then(
    () => underWay.delete(end),
    () => underWay.delete(end),
  )
  underWay.add(end)
  return work
}

/** What others may know of an error: its kind, not its words, which may hold a secret. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code = (error as { readonly code?: unknown }).code
  return typeof code === 'string' ? `${error.name} ${code}` : error.name
}
