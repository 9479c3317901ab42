import { compileGlob } from '@smart-whale/interfaces'
import type { Invalidation } from '../shared/shared-cache.ts'

/** More tags than this, invalidated during one load, pass it whatever its own tags turn out to be. */
const MOST_PASSED_TAGS = 1000

/** One read of the lower layers or one load, for all callers of a key. */
export class Flight<R> {
  readonly key: string
  /** Invalidations that it may have been passed by, and the number of the last one that did so whatever its tags are. */
  #passes = 0
  #passedAt = 0
  readonly #passedTags = new Map<string, number>()
  result!: Promise<R>

  constructor(key: string) {
    this.key = key
  }

  /** How many invalidations have passed it so far, perhaps. */
  get passes(): number {
    return this.#passes
  }

  /**
   * Whether what it brings may be from before an invalidation: only those who wait for it already may have it, and nothing stores it. With tags, if it has these.
   *
   * @param since what was asked for after so many passes is from after these
   */
  isPassedBy(tags: readonly string[], since = 0): boolean {
    return this.#passedAt > since || tags.some((tag) => (this.#passedTags.get(tag) ?? 0) > since)
  }

  pass(): void {
    this.#passedAt = ++this.#passes
  }

  passTags(tags: readonly string[]): void {
    this.#passes += 1
    for (const tag of tags) this.#passedTags.set(tag, this.#passes)
    if (this.#passedTags.size > MOST_PASSED_TAGS) this.pass()
  }
}

/** Who is under way for which key, and who may go along. */
export class Flights<R> {
  readonly #joinable = new Map<string, Flight<R>>()
  /** Also those that nobody may join any more. */
  readonly #underWay = new Set<Flight<R>>()
  readonly #queued = new Map<string, Promise<R>>()

  get size(): number {
    return this.#underWay.size
  }

  /** The flight of a key that a caller may join, as everything acknowledged so far has been followed here. */
  join(key: string, begin: (flight: Flight<R>) => Promise<R>): Promise<R> {
    return (this.#joinable.get(key) ?? this.#begin(key, begin)).result
  }

  /** A flight that begins after this call; one after another. For callers who can't know what has been invalidated. */
  joinNext(key: string, begin: (flight: Flight<R>) => Promise<R>): Promise<R> {
    const queued = this.#queued.get(key)
    if (queued !== undefined) return queued
    const current = this.#joinable.get(key)
    if (current === undefined) return this.#begin(key, begin).result
    const next = async (): Promise<R> => {
      await current.result.catch(() => {})
      this.#queued.delete(key)
      return this.#begin(key, begin).result
    }
    const result = next()
    this.#queued.set(key, result)
    return result
  }

  /** A flight that nobody joins; invalidations pass it like any other. */
  alone(key: string, begin: (flight: Flight<R>) => Promise<R>): Promise<R> {
    return this.#track(new Flight<R>(key), begin).result
  }

  /** Passes those that an invalidation matches. Those whose tags aren't known yet will look when they are. */
  follow({ keys = [], tags = [], patterns = [], all = false }: Invalidation): void {
    if (all) for (const flight of this.#underWay) this.#pass(flight)
    for (const key of keys) this.#passKey((candidate) => candidate === key)
    for (const pattern of patterns) this.#passKey(compileGlob(pattern))
    if (tags.length === 0) return
    for (const flight of this.#underWay) {
      flight.passTags(tags)
      // Its tags may be among these: a caller who comes now can't wait to find out.
      if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
    }
  }

  #passKey(matches: (key: string) => boolean): void {
    for (const flight of this.#underWay) if (matches(flight.key)) this.#pass(flight)
  }

  #pass(flight: Flight<R>): void {
    flight.pass()
    if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
  }

  #begin(key: string, begin: (flight: Flight<R>) => Promise<R>): Flight<R> {
    const flight = new Flight<R>(key)
    this.#joinable.set(key, flight)
    return this.#track(flight, begin)
  }

  #track(flight: Flight<R>, begin: (flight: Flight<R>) => Promise<R>): Flight<R> {
    this.#underWay.add(flight)
    flight.result = begin(flight).finally(() => {
      this.#underWay.delete(flight)
      if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
    })
    return flight
  }
}
