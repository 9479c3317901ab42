import { sleep } from '@smart-whale/core-resilience'
import type { Clock } from '@smart-whale/interfaces'
import type { KafkaApi, KafkaRequestOptions, KafkaTarget } from '../kafka-api.ts'

/**
 * Sends and fetches that wait for as long as their broker has asked for, when this client is over its quota. The broker itself takes nothing
 * more from that connection until then: a request that went there all the same would run out of time, and the next one, over a new connection,
 * would get round the quota. What waits has not left, and the time of a request begins when it does.
 */
export function heedThrottle(api: KafkaApi, clock: Clock): KafkaApi {
  const until = new Map<string, number>()
  const heeding = async <T extends { readonly throttleMs?: number }>(kind: string, { host, port }: KafkaTarget, { signal }: KafkaRequestOptions, ask: () => Promise<T>): Promise<T> => {
    const key = `${kind} ${host}:${port}`
    const waitMs = (until.get(key) ?? 0) - clock.monotonic()
    if (waitMs > 0) await sleep(waitMs, { clock, signal })
    const answer = await ask()
    if (answer.throttleMs !== undefined && answer.throttleMs > 0) until.set(key, clock.monotonic() + answer.throttleMs)
    return answer
  }
  return {
    ...api,
    produce: (target, request, options) => heeding('produce', target, options, () => api.produce(target, request, options)),
    fetch: (target, request, options) => heeding('fetch', target, options, () => api.fetch(target, request, options)),
  }
}
