import { ConnectionError, type Policy } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { compose, createBreaker, createRetry, createTimeout, sleep } from '../../src/index.ts'

const CALLS_A_SECOND = 200
const HEALTHY_S = 20
const DEAD_S = 60
const AFTERWARDS_S = 15
/** From here on after its return nearly everything is to succeed again. */
const BACK_AFTER_S = 5

/** How a dependency is dead: it refuses at once, or takes everything and never answers. */
export type Death = 'refuses' | 'black hole'

/** What a dead dependency had to bear, and how soon it was in use again. */
export interface OutageFigures {
  /** Calls that reached it while it was dead, for each one that somebody wanted to make. */
  readonly callsPerRequest: number
  /** Share of the requests that began in the fifth second after its return, or later, and succeeded. */
  readonly successAfterReturn: number
  /** The same before it died. */
  readonly successBefore: number
}

/** Policies with their defaults, as somebody would write them who read one page. */
export function usualPolicies(clock: FakeClock, random: () => number, withBreaker: boolean): Policy {
  const retry = createRetry({ clock, random })
  const attempt = createTimeout({ timeoutMs: 1_000, clock })
  const whole = createTimeout({ timeoutMs: 5_000, clock })
  return withBreaker ? compose(whole, retry, createBreaker({ clock }), attempt) : compose(whole, retry, attempt)
}

/** 200 requests a second, the dependency dead for a minute, on a clock of its own. */
export async function deadDependency(death: Death, withBreaker: boolean, random: () => number): Promise<OutageFigures> {
  const clock = new FakeClock()
  const policy = usualPolicies(clock, random, withBreaker)
  const diesAt = HEALTHY_S * 1000
  const returnsAt = diesAt + DEAD_S * 1000
  let callsWhileDead = 0
  const work = async ({ signal }: { signal: AbortSignal }): Promise<void> => {
    const now = clock.monotonic()
    const isDead = now >= diesAt && now < returnsAt
    if (isDead) callsWhileDead += 1
    if (isDead && death === 'refuses') throw new ConnectionError('refused')
    if (isDead) return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    await sleep(3, { clock })
  }
  const requests: { at: number; succeeded: boolean }[] = []
  for (let tick = 0; tick < (HEALTHY_S + DEAD_S + AFTERWARDS_S) * CALLS_A_SECOND; tick++) {
    const request = { at: clock.monotonic(), succeeded: false }
    requests.push(request)
    policy.execute(work).then(
      () => (request.succeeded = true),
      () => {},
    )
    await clock.advance(1000 / CALLS_A_SECOND)
  }
  await clock.advance(30_000)
  const shareOf = (from: number, until: number): number => {
    const within = requests.filter(({ at }) => at >= from && at < until)
    return within.filter(({ succeeded }) => succeeded).length / within.length
  }
  return {
    callsPerRequest: callsWhileDead / (DEAD_S * CALLS_A_SECOND),
    successAfterReturn: shareOf(returnsAt + (BACK_AFTER_S - 1) * 1000, Infinity),
    successBefore: shareOf(0, diesAt),
  }
}
