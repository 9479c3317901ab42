import type { Clock } from '@smart-whale/interfaces'
import { decodeValue } from '../codec/decode-value.ts'
import { openEnvelope, sealEnvelope } from '../codec/envelope.ts'
import type { PersistentLink } from '../l3/persistent-link.ts'
import type { CacheMetrics } from './cache-metrics.ts'
import { factsOf, foundIn, type FoundValue, textOf } from './found-value.ts'

/** Clocks are set right by so much without a word; a value from further in the future has no age that one could tell. */
const MOST_AHEAD_MS = 60_000

/** Values as they stand in the persistent layer. Never fails: a layer that doesn't work holds nothing. */
export class PersistentValues {
  readonly #link: PersistentLink
  readonly #clock: Clock
  readonly #metrics: CacheMetrics

  constructor(parts: { readonly link: PersistentLink; readonly clock: Clock; readonly metrics: CacheMetrics }) {
    this.#link = parts.link
    this.#clock = parts.clock
    this.#metrics = parts.metrics
  }

  /** What is there, also when it is no longer fresh. Whoever asks knows that everything acknowledged has been followed here. */
  async read(key: string): Promise<FoundValue | undefined> {
    const entry = await this.#link.read(key)
    if (entry === undefined) return undefined
    const envelope = openEnvelope(entry.payload)
    const decoded = envelope && decodeValue(envelope.body)
    if (envelope === undefined || decoded === undefined) {
      this.#metrics.countForeign()
      return undefined
    }
    return envelope.loadedAtMs > this.#clock.now() + MOST_AHEAD_MS ? undefined : foundIn(envelope, decoded.value, this.#clock)
  }

  /** Keeps a value, behind everybody's back. The caller has made sure, in the same turn, that it wasn't invalidated on its way. */
  keep(key: string, found: FoundValue): void {
    if (!this.#link.isUsable) return
    const facts = factsOf(found, '', 0, this.#clock)
    const expiresAtMs = Math.ceil(facts.loadedAtMs + facts.freshMs + facts.staleMs)
    if (expiresAtMs <= this.#clock.now()) return
    let text
    try {
      text = textOf(found)
    } catch {
      // A circle has no text; memory keeps it all the same.
      return
    }
    this.#link.write(key, { payload: sealEnvelope(facts, text), expiresAtMs, tags: found.tags })
  }
}
