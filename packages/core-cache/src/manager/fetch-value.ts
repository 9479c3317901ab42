import type { Clock } from '@smart-whale/interfaces'
import { FrequencySketch } from '../l1/frequency-sketch.ts'
import { hashOf } from '../usage/hash-key.ts'
import type { NodeLink } from '../shared/node-link.ts'
import type { AnswerSource } from './cache-metrics.ts'
import type { Flight } from './flights.ts'
import type { FoundValue } from './found-value.ts'
import type { LoadOnce } from './load-once.ts'
import type { ManagerSettings, ReadSettings } from './manager-options.ts'
import type { MemoryLayer } from './memory-layer.ts'
import type { PersistentValues } from './persistent-values.ts'
import { belongsInMemory, belongsInPersistent } from './place-value.ts'
import type { Loader } from './run-loader.ts'
import type { SharedValues } from './shared-values.ts'

/** What a flight brings home. */
export interface Landing {
  readonly found: FoundValue
  readonly source: AnswerSource
  readonly isStale: boolean
}

/** A flight of the manager's; nothing when it only looked, and there was nothing. */
export type ValueFlight = Flight<Landing | undefined>

/** What the layers below memory had for a flight. */
interface Look {
  readonly landing: Landing | undefined
  /** What is too old to land, and may yet serve when the loader fails. */
  readonly old: { readonly found: FoundValue; readonly source: AnswerSource } | undefined
  /** Token of what the shared layer holds; empty for nothing. */
  readonly token: string
  readonly usableFromNow: () => (found: FoundValue) => boolean
}

/** The layers of a manager. */
export interface FetchParts {
  readonly settings: ManagerSettings
  readonly memory: MemoryLayer
  readonly loads: LoadOnce
  readonly link: NodeLink | undefined
  readonly shared: SharedValues | undefined
  readonly persistent: PersistentValues | undefined
}

/** Keys whose looks are counted, roughly, to tell what is asked for again. */
const COUNTED_KEYS = 8192

/** Fetches what memory doesn't have: from the shared layer, from the persistent one, from the loader; and keeps it where it is worth its place. */
export class FetchValue {
  readonly #parts: FetchParts
  readonly #clock: Clock
  readonly #looks = new FrequencySketch(COUNTED_KEYS)
  #looksUntilHalved = COUNTED_KEYS * 8

  constructor(parts: FetchParts) {
    this.#parts = parts
    this.#clock = parts.settings.clock
  }

  /** Whether everything acknowledged has been followed here: what this node keeps may be answered with. */
  mayReadOwn(nowMs: number): boolean {
    const { link, settings } = this.#parts
    return link === undefined || link.isLeased(nowMs) || (settings.unlinkedStaleMs > 0 && link.unleasedMs(nowMs) < settings.unlinkedStaleMs)
  }

  /** Asks the layers, then loads. */
  async fetch(flight: ValueFlight, loader: Loader<unknown>, read: ReadSettings): Promise<Landing> {
    const { key } = flight
    const { landing, old, token, usableFromNow } = await this.#look(flight)
    if (landing !== undefined) return this.#keepWhereItBelongs(flight, landing)
    try {
      const found = await this.#parts.loads.load({ key, loader, read, unusable: token, usableFromNow })
      return this.#keepWhereItBelongs(flight, { found, source: 'loader', isStale: false })
    } catch (error) {
      const stale = this.#lastResort(flight, read, old)
      if (stale === undefined) throw error
      return stale
    }
  }

  /** Keeps a value that is there already, whatever the layers hold. */
  async store(flight: ValueFlight, value: unknown, read: ReadSettings): Promise<Landing> {
    const found = await this.#parts.loads.store({ key: flight.key, loader: () => value, read })
    return this.#keepWhereItBelongs(flight, { found, source: 'loader', isStale: false })
  }

  /** Brings what a lower layer has into memory, whatever it is worth. */
  async promote(flight: ValueFlight): Promise<Landing | undefined> {
    const { landing } = await this.#look(flight)
    if (landing !== undefined) this.#keepInMemory(flight, landing.found)
    return landing
  }

  /** Has the persistent layer keep what memory holds; whether there was something. */
  demote(key: string): boolean {
    const { memory, persistent } = this.#parts
    const nowMs = this.#clock.monotonic()
    const held = memory.peek(key, nowMs)
    if (held === undefined) return false
    const { copy, loadedAtMs, freshUntilMs, tags, isNothing, token, keepUntilMs } = held
    if (!isNothing) persistent?.keep(key, { copy, loadedAtMs, freshMs: freshUntilMs - loadedAtMs, staleMs: keepUntilMs - freshUntilMs, loadMs: 0, tags: tags?.map(({ tag }) => tag) ?? [], isNothing, token })
    return memory.forget(key)
  }

  async #look(flight: ValueFlight): Promise<Look> {
    const { link, shared, memory } = this.#parts
    const nowMs = this.#clock.monotonic()
    const mayReadOwn = this.mayReadOwn(nowMs)
    const held = mayReadOwn ? memory.peek(flight.key, nowMs) : undefined
    const isFresh = (found: FoundValue): boolean => this.#clock.monotonic() - found.loadedAtMs < found.freshMs
    // What is read after an invalidation was followed here is from after it, though the flight began before.
    const usableFromNow = (since = flight.passes) => (found: FoundValue): boolean => found.token !== held?.token && !flight.isPassedBy(found.tags, since) && isFresh(found)
    const isUsable = usableFromNow()
    const none = { found: undefined, token: '' }
    const { found, token } = shared !== undefined && link?.isUsable(nowMs) === true ? await shared.read(flight.key) : none
    if (found !== undefined && isUsable(found)) return { landing: { found, source: 'shared', isStale: false }, old: undefined, token, usableFromNow }
    const kept = mayReadOwn ? await this.#parts.persistent?.read(flight.key) : undefined
    if (kept !== undefined && isUsable(kept)) return { landing: { found: kept, source: 'persistent', isStale: false }, old: undefined, token, usableFromNow }
    const old = found !== undefined ? ({ found, source: 'shared' } as const) : kept !== undefined ? ({ found: kept, source: 'persistent' } as const) : undefined
    return { landing: undefined, old, token, usableFromNow }
  }

  /** What may serve when the loader has failed: nothing that was invalidated, and nothing too old. */
  #lastResort(flight: ValueFlight, { ifErrorMs }: ReadSettings, old: Look['old']): Landing | undefined {
    const nowMs = this.#clock.monotonic()
    if (ifErrorMs === 0 || !this.mayReadOwn(nowMs)) return undefined
    const retryAtMs = nowMs + this.#parts.settings.retryAfterFailureMs
    const held = this.#parts.memory.peek(flight.key, nowMs)
    if (held !== undefined && !held.isNothing && nowMs < held.freshUntilMs + ifErrorMs) {
      held.refreshAtMs = retryAtMs
      const { copy, loadedAtMs, freshUntilMs, token } = held
      const tags = held.tags?.map(({ tag }) => tag) ?? []
      return { found: { copy, loadedAtMs, freshMs: freshUntilMs - loadedAtMs, staleMs: ifErrorMs, loadMs: 0, tags, isNothing: false, token }, source: 'memory', isStale: nowMs >= freshUntilMs }
    }
    const found = old?.found
    if (found === undefined || found.isNothing || flight.isPassedBy(found.tags) || nowMs >= found.loadedAtMs + found.freshMs + ifErrorMs) return undefined
    this.#keepInMemory(flight, found, retryAtMs)
    return { found, source: old?.source ?? 'shared', isStale: nowMs >= found.loadedAtMs + found.freshMs }
  }

  /** Size, cost and demand decide where a value is kept; one that was passed on its way is kept nowhere. */
  #keepWhereItBelongs(flight: ValueFlight, landing: Landing): Landing {
    const { found, source } = landing
    const { memory, persistent, settings: { places } } = this.#parts
    const hash = hashOf(flight.key)
    this.#countLook(hash)
    if (flight.isPassedBy(found.tags)) return landing
    if (belongsInMemory(found, memory.maxBytes, this.#looks.countOf(hash), places)) this.#keepInMemory(flight, found)
    if (source === 'loader' && belongsInPersistent(found, places)) persistent?.keep(flight.key, found)
    return landing
  }

  #keepInMemory(flight: ValueFlight, { copy, loadedAtMs, freshMs, staleMs, tags, isNothing, token }: FoundValue, refreshAtMs?: number): void {
    if (freshMs <= 0 || flight.isPassedBy(tags)) return
    const freshUntilMs = loadedAtMs + freshMs
    const early = freshMs * this.#parts.settings.refreshShare * Math.random()
    this.#parts.memory.put(flight.key, { copy, loadedAtMs, freshUntilMs, refreshAtMs: refreshAtMs ?? freshUntilMs - early, keepUntilMs: freshUntilMs + staleMs, tags, isNothing, token })
  }

  #countLook(hash: number): void {
    this.#looks.add(hash, 1)
    if (--this.#looksUntilHalved > 0) return
    this.#looksUntilHalved = COUNTED_KEYS * 8
    this.#looks.halve()
  }
}
