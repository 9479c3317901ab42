import { type Breaker, BreakerOpenError, compose, createBreaker, createTimeout, healthProbe } from '@smart-whale/core-resilience'
import { type Clock, type Policy, systemClock } from '@smart-whale/interfaces'

const LOOK_AGAIN_MS = 250
/** More servers than a cluster can have masters; those that it had once give way. */
const MOST_SHARDS = 1_000

/** A shard is left alone. By its name it is a refusal: the other shards answer, and the layer as a whole stays in use. */
class ShardAwayError extends Error {
  override readonly name = 'ReplyError'

  constructor(node: string, cause: unknown) {
    super(`${node} does not answer; it is looked at again in a moment`, { cause })
  }
}

/** How one shard is asked without a caller: whether it answers again. */
export type ShardProbe = () => Promise<unknown>

/** One shard as it is asked. */
interface Shard {
  readonly breaker: Breaker
  readonly policy: Policy
  /** By the latest request: its key lies on this shard, as far as the client knows. */
  probe: ShardProbe
}

/**
 * Leaves those shards of a cluster alone that don't answer: the first request that fails or takes too long pays for it, and no other does until the shard
 * has been found to answer again. The others go on.
 */
export class ShardHealth {
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #shards = new Map<string, Shard>()

  constructor(timeoutMs: number, clock: Clock = systemClock) {
    this.#timeoutMs = timeoutMs
    this.#clock = clock
  }

  /** @throws ReplyError at once when the shard is left alone, or from now on is */
  async ask<T>(node: string, request: () => Promise<T>, probe: ShardProbe): Promise<T> {
    const shard = this.#shardOf(node, probe)
    try {
      return await shard.policy.execute(request)
    } catch (error) {
      if (BreakerOpenError.isInstance(error) || isAway(error)) throw new ShardAwayError(node, error)
      throw error
    }
  }

  /** Looks after nobody any more. */
  close(): void {
    for (const { breaker } of this.#shards.values()) breaker.dispose()
    this.#shards.clear()
  }

  #shardOf(node: string, probe: ShardProbe): Shard {
    const known = this.#shards.get(node)
    if (known !== undefined) {
      known.probe = probe
      return known
    }
    if (this.#shards.size >= MOST_SHARDS) this.#forgetOldest()
    const made = this.#watch(node, probe)
    this.#shards.set(node, made)
    return made
  }

  #watch(node: string, probe: ShardProbe): Shard {
    const clock = this.#clock
    const isHealthy = async (): Promise<boolean> => {
      await shard.probe()
      return true
    }
    const recovery = healthProbe({ isHealthy, everyMs: LOOK_AGAIN_MS, checkTimeoutMs: this.#timeoutMs })
    const breaker = createBreaker({ name: node, consecutiveFailures: 1, minimumCalls: Infinity, recovery, isFailure: isAway, clock })
    const policy = compose(breaker, createTimeout({ timeoutMs: this.#timeoutMs, what: `the answer of ${node}`, clock }))
    const shard: Shard = { breaker, policy, probe }
    return shard
  }

  #forgetOldest(): void {
    for (const [node, { breaker }] of this.#shards) {
      breaker.dispose()
      this.#shards.delete(node)
      return
    }
  }
}

/** A refusal is an answer; but not that of a cluster which knows nobody for the slot, or of a server that still reads its file. */
function isAway(error: unknown): boolean {
  const { name, message } = error as Error
  return name !== 'ReplyError' || /^CLUSTERDOWN|^LOADING/.test(message)
}
