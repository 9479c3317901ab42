import { type Clock, systemClock, type TimerHandle } from '@smart-whale/interfaces'
import { within } from '../shared/within.ts'

const LOOK_AGAIN_MS = 250

/** A shard is left alone. By its name it is a refusal: the other shards answer, and the layer as a whole stays in use. */
class ShardAwayError extends Error {
  override readonly name = 'ReplyError'

  constructor(node: string, cause: unknown) {
    super(`${node} does not answer; it is looked at again in a moment`, { cause })
  }
}

/** How one shard is asked without a caller: whether it answers again. */
export type ShardProbe = () => Promise<unknown>

/**
 * Leaves those shards of a cluster alone that don't answer: the first request that fails or takes too long pays for it, and no other does until the shard
 * has been found to answer again. The others go on.
 */
export class ShardHealth {
  readonly #timeoutMs: number
  readonly #clock: Clock
  #isOpen = false
  /** Why a shard is left alone, and when it is looked at again. */
  readonly #away = new Map<string, { readonly cause: unknown; timer: TimerHandle }>()

  constructor(timeoutMs: number, clock: Clock = systemClock) {
    this.#timeoutMs = timeoutMs
    this.#clock = clock
  }

  open(): void {
    this.#isOpen = true
  }

  /** @throws ReplyError at once when the shard is left alone, or from now on is */
  async ask<T>(node: string, request: () => Promise<T>, probe: ShardProbe): Promise<T> {
    const away = this.#away.get(node)
    if (away !== undefined) throw new ShardAwayError(node, away.cause)
    try {
      return await within(this.#clock, this.#timeoutMs, `the answer of ${node}`, request())
    } catch (error) {
      // A refusal is an answer; but not that of a cluster which knows nobody for the slot.
      if ((error as Error).name === 'ReplyError' && !/^CLUSTERDOWN|^LOADING/.test((error as Error).message)) throw error
      this.#leaveAlone(node, error, probe)
      throw new ShardAwayError(node, error)
    }
  }

  /** Looks after nobody any more. */
  close(): void {
    this.#isOpen = false
    for (const { timer } of this.#away.values()) this.#clock.clearTimeout(timer)
    this.#away.clear()
  }

  #leaveAlone(node: string, cause: unknown, probe: ShardProbe): void {
    if (!this.#isOpen) return
    const known = this.#away.get(node)
    this.#clock.clearTimeout(known?.timer)
    this.#away.set(node, { cause, timer: this.#clock.setTimeout(() => void this.#lookAgain(node, probe), LOOK_AGAIN_MS) })
  }

  async #lookAgain(node: string, probe: ShardProbe): Promise<void> {
    try {
      await within(this.#clock, this.#timeoutMs, `the answer of ${node}`, probe())
      this.#away.delete(node)
    } catch (error) {
      if (this.#away.has(node)) this.#leaveAlone(node, error, probe)
    }
  }
}
