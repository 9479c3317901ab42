import { canonical, digest } from '../../stable-digest.ts'
import type { MetricAnswer, MetricRow } from '../answer/metric-answer.ts'
import { frameOf, type LiveChange, type LiveFrame, type LiveRowKey, type LiveSnapshot, rowKey } from './live-events.ts'

/** What a {@link VersionedAnswer} keeps. */
export interface VersionBounds {
  /** Versions that a subscriber may come back with. */
  readonly maxVersions: number
  /** Keys of rows that are no more; beyond it, the oldest versions are forgotten with theirs. */
  readonly maxRemovals: number
}

interface KeptRow {
  readonly row: MetricRow
  readonly text: string
  /** The state that it came with. */
  readonly since: number
}

/**
 * The present answer of a live question, and for each row since when it is so. The difference from any former state to now comes out of
 * that in one pass, however many states lie between: what a subscriber has missed, was too slow for, or comes back without is one thing.
 */
export class VersionedAnswer {
  readonly #key: readonly string[]
  readonly #bounds: VersionBounds
  #rows = new Map<string, KeptRow>()
  /** In the order in which they went. */
  readonly #gone = new Map<string, { readonly key: LiveRowKey; readonly since: number }>()
  /** States by their versions, oldest first. */
  readonly #versions = new Map<string, number>()
  #sequence = 0
  /** The oldest state that a difference can be told from. */
  #oldest = 1
  #version = ''
  #frame: LiveFrame | undefined
  #route: MetricAnswer['route'] | undefined

  constructor(key: readonly string[], bounds: VersionBounds) {
    this.#key = key
    this.#bounds = bounds
  }

  /** Number of the present state; 0 before the first answer. */
  get sequence(): number {
    return this.#sequence
  }

  /** Takes the question's answer of now. @returns whether anything is other than before */
  take(answer: MetricAnswer): boolean {
    const next = this.#sequence + 1
    const rows = new Map<string, KeptRow>()
    let changed = false
    for (const row of answer.rows) {
      const key = rowKey(this.#key, row)
      const before = this.#rows.get(key)
      const text = canonical(row)
      rows.set(key, before?.text === text ? before : { row, text, since: next })
      changed ||= before?.text !== text
    }
    const gone = [...this.#rows].filter(([key]) => !rows.has(key))
    const frame = frameOf(answer)
    this.#route = answer.route
    if (!changed && gone.length === 0 && canonical(frame) === canonical(this.#frame)) return false

    for (const [key, { row }] of gone) this.#gone.set(key, { key: this.#keyOf(row), since: next })
    for (const key of rows.keys()) this.#gone.delete(key)
    this.#rows = rows
    this.#frame = frame
    this.#sequence = next
    this.#version = this.#digest()
    // What is the same as once before has its version: put at the end, for the order is that of the states.
    this.#versions.delete(this.#version)
    this.#versions.set(this.#version, next)
    this.#forget()
    return true
  }

  /** The state that a version names, unless it is forgotten. */
  sequenceOf(version: string): number | undefined {
    return this.#versions.get(version)
  }

  /** The whole answer. */
  snapshot(): LiveSnapshot {
    const rows = [...this.#rows.values()].map(({ row }) => row)
    return { type: 'snapshot', version: this.#version, key: this.#key, rows, ...this.#told(), route: this.#route as MetricAnswer['route'] }
  }

  /** What is other than in a former state; undefined when that is forgotten. */
  changeSince(sequence: number): LiveChange | undefined {
    if (sequence < this.#oldest) return undefined
    const upserts = [...this.#rows.values()].filter(({ since }) => since > sequence).map(({ row }) => row)
    const removals = [...this.#gone.values()].filter(({ since }) => since > sequence).map(({ key }) => key)
    return { type: 'change', version: this.#version, upserts, removals, ...this.#told() }
  }

  #told(): LiveFrame {
    return this.#frame as LiveFrame
  }

  #keyOf(row: MetricRow): LiveRowKey {
    return Object.fromEntries(this.#key.filter((name) => row[name] !== undefined).map((name) => [name, row[name]]))
  }

  /** Of the content alone, so that an equal answer of another process has the same version. */
  #digest(): string {
    const rows = [...this.#rows.values()].map(({ text }) => text).sort()
    return digest(`${canonical(this.#frame)}${rows.join('\n')}`)
  }

  #forget(): void {
    const { maxVersions, maxRemovals } = this.#bounds
    const versions = [...this.#versions]
    // The present state is never forgotten.
    while (versions.length > 1 && (versions.length > maxVersions || this.#goneSince(versions[0]?.[1] as number) > maxRemovals)) {
      const [version] = versions.shift() as [string, number]
      this.#versions.delete(version)
    }
    this.#oldest = Math.max(this.#oldest, versions[0]?.[1] as number)
    for (const [key, { since }] of this.#gone) {
      if (since > this.#oldest) break
      this.#gone.delete(key)
    }
  }

  /** As many keys as are needed to tell what went after a state. */
  #goneSince(sequence: number): number {
    let count = 0
    for (const { since } of this.#gone.values()) if (since > sequence) count += 1
    return count
  }
}
