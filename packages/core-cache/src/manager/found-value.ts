import type { Clock } from '@smart-whale/interfaces'
import { encodeValue } from '../codec/encode-value.ts'
import type { Envelope, EnvelopeFacts } from '../codec/envelope.ts'
import { copyForCache, type ValueCopy } from '../l1/copy-value.ts'

/** A value that came from another layer or from a loader, ready to be kept. Times are monotonic milliseconds. */
export interface FoundValue {
  readonly copy: ValueCopy
  readonly loadedAtMs: number
  readonly freshMs: number
  /** How long after that it is kept. */
  readonly staleMs: number
  /** What its load took. */
  readonly loadMs: number
  readonly tags: readonly string[]
  readonly isNothing: boolean
  readonly token: string
}

/** The value of an envelope, and what is known of it. */
export function foundIn({ loadedAtMs, freshMs, staleMs, loadMs, tags, isNothing, token }: Envelope, value: unknown, clock: Clock): FoundValue {
  const ageMs = Math.max(0, clock.now() - loadedAtMs)
  return { copy: copyForCache(value), loadedAtMs: clock.monotonic() - ageMs, freshMs, staleMs, loadMs, tags, isNothing, token }
}

/** What another layer is to know of a value. */
export function factsOf({ loadedAtMs, freshMs, staleMs, loadMs, tags, isNothing, token }: FoundValue, run: string, followed: number, clock: Clock): EnvelopeFacts {
  return { token, run, followed, loadedAtMs: clock.now() - (clock.monotonic() - loadedAtMs), freshMs, staleMs, loadMs, tags, isNothing }
}

const texts = new WeakMap<FoundValue, string>()

/** Its text, made once however many layers it goes to. @throws ValidationError `ERR_CACHE_VALUE` for a circle */
export function textOf(found: FoundValue): string {
  const known = texts.get(found)
  if (known !== undefined) return known
  const text = encodeValue(found.copy.value)
  texts.set(found, text)
  return text
}
