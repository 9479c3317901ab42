import { createHash } from 'node:crypto'
import { type Clock, ValidationError } from '@smart-whale/interfaces'
import type { PipelineErrorCode } from '../errors.ts'

/** How answers are kept for requests that come again. */
export interface IdempotencyOptions {
  /** How long an answer is kept, in milliseconds. @default 600000 */
  windowMs?: number | undefined
  /** How many answers are kept; the oldest is forgotten first. @default 10000 */
  maxKeys?: number | undefined
}

interface KeptAnswer<T> {
  readonly digest: string
  readonly answer: Promise<T>
  /** When it may be forgotten; null while what it answers is under way. */
  until: number | null
}

/**
 * Gives a request that comes again under its key the answer that it got, or is about to get, and does nothing a second time: also where that
 * answer was that nobody knows what became of it. Kept in the memory of one process: another process, or the next one, doesn't know the key.
 */
export class IdempotentAnswers<T> {
  readonly #windowMs: number
  readonly #maxKeys: number
  readonly #clock: Clock
  /** In the order of their age. */
  readonly #kept = new Map<string, KeptAnswer<T>>()

  constructor({ windowMs = 600_000, maxKeys = 10_000 }: IdempotencyOptions, clock: Clock) {
    this.#windowMs = windowMs
    this.#maxKeys = maxKeys
    this.#clock = clock
  }

  /**
   * Runs the work for a key that isn't known.
   * @param parts what the request says, in parts
   * @param mayForget whether an answer says that nothing was done, so that the key may be used again
   * @throws ValidationError with status 422 when the key came with another body
   */
  async once(key: string, parts: readonly (string | Uint8Array)[], work: () => Promise<T>, mayForget: (answer: T) => boolean): Promise<{ readonly answer: T; readonly isRepeated: boolean }> {
    this.#forgetOld()
    const hash = createHash('sha256')
    for (const part of parts) hash.update(part)
    const digest = hash.digest('base64url')
    const known = this.#kept.get(key)
    if (known !== undefined) {
      if (known.digest !== digest) throw reusedKey()
      return { answer: await known.answer, isRepeated: true }
    }
    const answer = work()
    const kept: KeptAnswer<T> = { digest, answer, until: null }
    this.#kept.set(key, kept)
    const isNothing = await answer.then(mayForget, () => true)
    kept.until = this.#clock.monotonic() + this.#windowMs
    if (isNothing) this.#kept.delete(key)
    return { answer: await answer, isRepeated: false }
  }

  #forgetOld(): void {
    const now = this.#clock.monotonic()
    for (const [key, { until }] of this.#kept) {
      // As many as are under way at a time are bounded elsewhere.
      if (until === null) continue
      if (until > now && this.#kept.size < this.#maxKeys) return
      this.#kept.delete(key)
    }
  }
}

function reusedKey(): ValidationError<PipelineErrorCode> {
  return new ValidationError<PipelineErrorCode>('this Idempotency-Key came with another body before; nothing of this request was taken: give each request a key of its own', {
    code: 'ERR_MESSAGING_IDEMPOTENCY_KEY',
    status: 422,
    issues: [{ path: ['headers', 'idempotency-key'], message: 'belongs to another body' }],
  })
}
