import type { CounterMetric, Logger } from '@smart-whale/interfaces'
import type { DecodeObserver } from './decode-batch.ts'

/** A field that events carry and no version of them declares. */
export interface UndeclaredFieldCount {
  /** Cut after 100 characters. */
  readonly name: string
  /** How often it was seen; too high by at most what the least frequent field has, once more fields came than are kept. */
  readonly count: number
}

/** How many names are kept, and logged, at most: producers decide on names, and may have any number of them. */
const MOST_NAMES = 100
const MOST_CHARACTERS = 100

/** What a pipeline learns about its events beside their rows: how many there are of each version, and what they carry beyond the declared fields. */
export class SchemaDrift implements DecodeObserver {
  readonly #versions = new Map<string, number>()
  // Space-saving counters: a new name takes the place of the least frequent one, and its count.
  readonly #undeclared = new Map<string, number>()
  readonly #metrics: { readonly versions: CounterMetric; readonly undeclared: CounterMetric }
  readonly #pipeline: string
  readonly #logger: Logger
  #logged = 0

  constructor(pipeline: string, metrics: { readonly versions: CounterMetric; readonly undeclared: CounterMetric }, logger: Logger) {
    this.#pipeline = pipeline
    this.#metrics = metrics
    this.#logger = logger
  }

  readonly onVersion = (version: string): void => {
    this.#versions.set(version, (this.#versions.get(version) ?? 0) + 1)
    this.#metrics.versions.inc({ pipeline: this.#pipeline, version })
  }

  readonly onUndeclared = (field: string): void => {
    const name = field.length > MOST_CHARACTERS ? field.slice(0, MOST_CHARACTERS).toWellFormed() : field
    this.#metrics.undeclared.inc({ pipeline: this.#pipeline })
    const count = this.#undeclared.get(name)
    if (count !== undefined) {
      this.#undeclared.set(name, count + 1)
      return
    }
    this.#undeclared.set(name, this.#undeclared.size < MOST_NAMES ? 1 : this.#dropLeast() + 1)
    if (this.#logged++ < MOST_NAMES) this.#logger.warn({ field: name }, 'events carry a field that the pipeline does not declare: it is left out')
  }

  /** Events by version, of the versions that were seen. */
  versions(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#versions)
  }

  /** The most frequent first. */
  undeclared(): readonly UndeclaredFieldCount[] {
    return [...this.#undeclared].map(([name, count]) => ({ name, count })).sort((left, right) => right.count - left.count)
  }

  #dropLeast(): number {
    let least: [name: string, count: number] = ['', Number.POSITIVE_INFINITY]
    for (const entry of this.#undeclared) if (entry[1] < least[1]) least = entry
    this.#undeclared.delete(least[0])
    return least[1]
  }
}
