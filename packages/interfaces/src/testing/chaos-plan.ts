import { type Clock, systemClock } from '../clock.ts'
import { ConnectionError } from '../errors.ts'

/** A call that a chaos double is about to pass on. */
export interface ChaosCall {
  /** Name of the method; those of a transaction are `transaction.execute` and so on. */
  readonly method: string
  /** 1 for the double's first call, 2 for the next, whatever the method. */
  readonly number: number
  /** 1 for the first call of this method. */
  readonly numberOfMethod: number
  readonly args: readonly unknown[]
}

/** What happens to a call. */
export interface ChaosAction {
  /**
   * `before`: it fails and nothing was done. `after`: it was done and fails all the same, as when the answer gets lost.
   * A stream or scan that fails `after` hands out its first item before. @default it doesn't fail
   */
  readonly fail?: 'before' | 'after'
  /** How long it takes before anything else happens; the call's signal ends the wait. @default 0 */
  readonly delayMs?: number
  /** What it fails with. @default a retryable ConnectionError */
  readonly error?: unknown
}

/** Decides about each call; `undefined` lets it pass. */
export type ChaosPlan = (call: ChaosCall) => ChaosAction | undefined

/** What a chaos double may be told. */
export interface ChaosOptions {
  /** Whose time the delays take. @default systemClock */
  clock?: Clock | undefined
}

/** The nth call gets the nth action; calls after the last one pass. */
export function chaosSchedule(actions: readonly (ChaosAction | undefined)[]): ChaosPlan {
  return ({ number }) => actions[number - 1]
}

/** Every call that the predicate picks gets the action; the others pass. */
export function chaosWhen(predicate: (call: ChaosCall) => boolean, action: ChaosAction): ChaosPlan {
  return (call) => (predicate(call) ? action : undefined)
}

/** Runs calls as a plan says. */
export class ChaosRunner {
  readonly #plan: ChaosPlan
  readonly #clock: Clock
  readonly #numbers = new Map<string, number>()
  #number = 0

  constructor(plan: ChaosPlan, options: ChaosOptions = {}) {
    this.#plan = plan
    this.#clock = options.clock ?? systemClock
  }

  async call<T>(method: string, args: readonly unknown[], work: () => Promise<T>): Promise<T> {
    const action = this.#actionFor(method, args)
    await this.#begin(method, args, action)
    const result = await work()
    if (action?.fail === 'after') throw failureOf(action, method)
    return result
  }

  async *iterate<T>(method: string, args: readonly unknown[], items: () => AsyncIterable<T>): AsyncIterable<T> {
    const action = this.#actionFor(method, args)
    await this.#begin(method, args, action)
    for await (const item of items()) {
      yield item
      if (action?.fail === 'after') throw failureOf(action, method)
    }
    if (action?.fail === 'after') throw failureOf(action, method)
  }

  #actionFor(method: string, args: readonly unknown[]): ChaosAction | undefined {
    const numberOfMethod = (this.#numbers.get(method) ?? 0) + 1
    this.#numbers.set(method, numberOfMethod)
    this.#number += 1
    return this.#plan({ method, number: this.#number, numberOfMethod, args })
  }

  async #begin(method: string, args: readonly unknown[], action: ChaosAction | undefined): Promise<void> {
    if (action?.delayMs) await this.#wait(action.delayMs, signalOf(args))
    if (action?.fail === 'before') throw failureOf(action, method)
  }

  #wait(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const end = (): void => {
        this.#clock.clearTimeout(timer)
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer = this.#clock.setTimeout(end, delayMs)
      signal?.addEventListener('abort', end)
    })
  }
}

function failureOf({ fail, error }: ChaosAction, method: string): unknown {
  return error ?? new ConnectionError(`chaos: ${method} failed ${fail === 'before' ? 'before it did anything' : 'after it was done'}`, { context: { method } })
}

/** Every contract takes the signal in the options, which come last. */
function signalOf(args: readonly unknown[]): AbortSignal | undefined {
  const last = args.at(-1)
  const signal = typeof last === 'object' && last !== null ? (last as { signal?: unknown }).signal : undefined
  return signal instanceof AbortSignal ? signal : undefined
}
