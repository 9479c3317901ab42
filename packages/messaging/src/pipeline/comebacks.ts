import { sleep } from '@smart-whale/core-resilience'
import type { Clock } from '@smart-whale/interfaces'

/** Lets partitions that wait for a store or a broker go on together: what works for one of them again is likely to work for all. */
export class Comebacks {
  readonly #waiting = new Set<AbortController>()

  /** Resolves after so long, or as soon as another partition goes on. @throws AbortError when the signal says so */
  async pause(milliseconds: number, { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock }): Promise<void> {
    const woken = new AbortController()
    this.#waiting.add(woken)
    try {
      await sleep(milliseconds, { signal: AbortSignal.any([signal, woken.signal]), clock })
    } catch (error) {
      if (signal.aborted || !woken.signal.aborted) throw error
    } finally {
      this.#waiting.delete(woken)
    }
  }

  /** Something works again that has failed. */
  announce(): void {
    for (const woken of this.#waiting) woken.abort()
  }
}
