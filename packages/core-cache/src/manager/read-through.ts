import { outsideOfCalls } from '@smart-whale/core-resilience'
import type { Clock } from '@smart-whale/interfaces'
import { requireKey } from '../check-entry.ts'
import type { NodeLink } from '../shared/node-link.ts'
import type { Answerable, AnswerForm } from './cache-answer.ts'
import type { AnswerSource, CacheMetrics } from './cache-metrics.ts'
import type { FetchValue, Landing } from './fetch-value.ts'
import type { Flight, Flights } from './flights.ts'
import { type ManagerSettings, type ReadSettings, readSettings, type SmartGetOptions } from './manager-options.ts'
import type { MemoryEntry, MemoryLayer } from './memory-layer.ts'
import type { Prefetcher } from './prefetcher.ts'
import { type Loader, unlessAborted } from './run-loader.ts'
import type { ReadWatcher } from './watch-reads.ts'

/** What reads are answered from. */
export interface ReadParts {
  readonly settings: ManagerSettings
  readonly memory: MemoryLayer
  readonly values: FetchValue
  readonly flights: Flights<Landing | undefined>
  readonly link: NodeLink | undefined
  readonly prefetcher: Prefetcher | undefined
  readonly metrics: CacheMetrics
  /** Told of each read that was answered. */
  readonly watch: ReadWatcher | undefined
  /** Resolves when the layers are open; nothing when they are. */
  readonly whenOpen: () => Promise<void> | undefined
}

/** Answers reads: from memory while what it holds is fresh, else by a flight that all share who ask meanwhile. */
export class ReadThrough {
  readonly #parts: ReadParts
  // What a hit looks at, at hand.
  readonly #clock: Clock
  readonly #memory: MemoryLayer
  readonly #isAlone: boolean
  readonly #watch: ReadWatcher | undefined

  constructor(parts: ReadParts) {
    this.#parts = parts
    this.#clock = parts.settings.clock
    this.#memory = parts.memory
    this.#isAlone = parts.link === undefined
    this.#watch = parts.watch
  }

  /** The answer for a key, in the form that the caller wants. A hit costs a look into memory and a promise. */
  read<A>(key: string, loader: Loader<unknown>, options: SmartGetOptions<never> | undefined, formOf: AnswerForm<A>): Promise<A> {
    const nowMs = this.#clock.monotonic()
    const entry = this.#isAlone || this.#parts.values.mayReadOwn(nowMs) ? this.#memory.read(key, nowMs) : undefined
    if (entry === undefined || nowMs >= entry.refreshAtMs) return this.#readFurther(key, loader, options, formOf, entry, nowMs)
    if (this.#watch !== undefined) this.#watch(key, !entry.isNothing)
    return Promise.resolve(formOf(entry, 'memory', false, nowMs))
  }

  /** @param entry what memory holds, which is to be loaded anew, and may serve meanwhile */
  async #readFurther<A>(key: string, loader: Loader<unknown>, options: SmartGetOptions<never> | undefined, formOf: AnswerForm<A>, entry: MemoryEntry | undefined, askedAtMs: number): Promise<A> {
    requireKey(key)
    const read = readSettings(options, this.#parts.settings.read)
    this.#parts.prefetcher?.remember(key, () => this.#fly(key, loader, read, this.#clock.monotonic()))
    const opening = this.#parts.whenOpen()
    if (opening !== undefined) await opening
    const landing = this.#fly(key, loader, read, this.#clock.monotonic())
    if (entry !== undefined && askedAtMs < entry.freshUntilMs + (entry.isNothing ? 0 : read.revalidateMs)) {
      // It still serves; the flight is for whoever comes next.
      landing.catch(() => {
        entry.refreshAtMs = this.#clock.monotonic() + this.#parts.settings.retryAfterFailureMs
      })
      this.#answered(key, entry, 'memory', askedAtMs >= entry.freshUntilMs)
      return formOf(entry, 'memory', askedAtMs >= entry.freshUntilMs, askedAtMs)
    }
    const { found, source, isStale } = await (options?.signal === undefined ? landing : unlessAborted(landing, options.signal))
    this.#answered(key, found, source, isStale)
    return formOf(found, source, isStale, this.#clock.monotonic())
  }

  /** One flight for all who ask. Without a lease nobody knows what has been invalidated: each caller then gets one that begins after his call. */
  #fly(key: string, loader: Loader<unknown>, read: ReadSettings, nowMs: number): Promise<Landing> {
    const { flights, link, values } = this.#parts
    // It is for all who come meanwhile: no caller's deadline ends it.
    const begin = (flight: Flight<Landing | undefined>): Promise<Landing> => outsideOfCalls(() => values.fetch(flight, loader, read))
    const knowsAll = link === undefined || link.isLeased(nowMs)
    return (knowsAll ? flights.join(key, begin) : flights.joinNext(key, begin)) as Promise<Landing>
  }

  #answered(key: string, { isNothing }: Answerable, source: AnswerSource, isStale: boolean): void {
    this.#parts.metrics.countAnswer(source, isStale)
    this.#watch?.(key, !isNothing)
  }
}
