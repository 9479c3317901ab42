import { compileGlob } from '@smart-whale/interfaces'
import { openEnvelope } from '../codec/envelope.ts'
import type { RecordedInvalidation } from './shared-cache.ts'

/** Keys, and as many tags, that are remembered; the oldest are forgotten. */
const MOST_NAMES = 20_000
/** Patterns that are remembered: each is tried on each value that is read. */
const MOST_PATTERNS = 50

/**
 * What was invalidated lately, as this node knows by itself. Where values and the coordination stand on different servers, one of them may lose a deletion in a
 * failover and give out again what the other knows to be invalid: a value whose load began before one of these isn't to be used.
 */
export class RecentInvalidations {
  #run = ''
  readonly #keys = new Map<string, number>()
  readonly #tags = new Map<string, number>()
  readonly #patterns: { readonly number: number; readonly matches: (key: string) => boolean }[] = []

  /** The run that holds from now on, and what a renewal told of it. What was invalidated in another run can't be read any more. */
  begin(run: string, told: readonly RecordedInvalidation[]): void {
    if (run !== this.#run) {
      this.#run = run
      this.#keys.clear()
      this.#tags.clear()
      this.#patterns.length = 0
    }
    for (const recorded of told) this.note(recorded)
  }

  note({ run, number, invalidation: { keys = [], tags = [], patterns = [] } }: RecordedInvalidation): void {
    if (run !== this.#run) return
    for (const key of keys) remember(this.#keys, key, number)
    for (const tag of tags) remember(this.#tags, tag, number)
    for (const pattern of patterns) this.#patterns.push({ number, matches: compileGlob(pattern) })
    if (this.#patterns.length > MOST_PATTERNS) this.#patterns.splice(0, this.#patterns.length - MOST_PATTERNS)
  }

  /** Number of the newest invalidation of a tag in that run; 0 for none that is remembered. */
  newestOfTag(run: string, tag: string): number {
    return run === this.#run ? (this.#tags.get(tag) ?? 0) : 0
  }

  /** Whether a payload's load began before an invalidation of its key. */
  areNewerThan(key: string, payload: string): boolean {
    let newest = this.#keys.get(key) ?? 0
    for (const { number, matches } of this.#patterns) if (number > newest && matches(key)) newest = number
    if (newest === 0) return false
    const envelope = openEnvelope(payload)
    return envelope !== undefined && envelope.run === this.#run && envelope.followed < newest
  }
}

/** Messages may come twice, and late. */
function remember(numbers: Map<string, number>, name: string, number: number): void {
  const known = numbers.get(name) ?? 0
  numbers.delete(name)
  numbers.set(name, Math.max(known, number))
  if (numbers.size > MOST_NAMES) numbers.delete(numbers.keys().next().value as string)
}
