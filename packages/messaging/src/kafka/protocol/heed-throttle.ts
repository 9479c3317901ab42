import { sleep } from '@smart-whale/core-resilience'
import type { Clock } from '@smart-whale/interfaces'
import type { KafkaLane, KafkaRequestOptions, KafkaTarget } from '../kafka-api.ts'

/** A request that may have to wait. */
export interface ThrottledRequest {
  /** As Kafka names it. */
  readonly name: string
  readonly lane: KafkaLane
  readonly target: KafkaTarget
  readonly options: KafkaRequestOptions
}

/** Quotas for bytes are a client's, over whatever connection they come: another one would get round them. */
const OF_THE_CLIENT = new Set(['Produce', 'Fetch'])

/**
 * Has requests wait for as long as their broker has asked for, when this client is over a quota. The broker itself takes nothing more from the
 * connection that was told so until then: a request that went there all the same would run out of time, and the next one, over a new connection,
 * would get round the quota. What waits has not left, and the time of a request begins when it does.
 */
export class ThrottleKeeper {
  readonly #clock: Clock
  readonly #until = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Asks when the broker wants to be asked. The answer is handed over at once, whatever the broker wants from then on. */
  async heeding<T extends { readonly throttleMs: number }>(request: ThrottledRequest, ask: () => Promise<T>): Promise<T> {
    const key = keyOf(request)
    const waitMs = (this.#until.get(key) ?? 0) - this.#clock.monotonic()
    if (waitMs > 0) await sleep(waitMs, { clock: this.#clock, signal: request.options.signal })
    const answer = await ask()
    if (answer.throttleMs > 0) this.#note(key, answer.throttleMs)
    return answer
  }

  #note(key: string, throttleMs: number): void {
    const now = this.#clock.monotonic()
    // Channels come and go.
    for (const [other, until] of this.#until) if (until <= now) this.#until.delete(other)
    this.#until.set(key, now + throttleMs)
  }
}

/** Beside those of bytes, each connection waits on its own: a member's word that it is there isn't held up by what another request has cost. */
function keyOf({ name, lane, target: { host, port }, options: { channel = '' } }: ThrottledRequest): string {
  return OF_THE_CLIENT.has(name) ? `${name} ${host}:${port}` : `${lane}/${channel} ${host}:${port}`
}
