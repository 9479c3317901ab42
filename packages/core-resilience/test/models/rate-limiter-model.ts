import { equal, ok } from 'node:assert/strict'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { createRateLimiter, OverloadError } from '../../src/index.ts'
import type { PolicyModel } from './policy-model.ts'

interface Limits {
  readonly limit: number
  readonly burst: number
  readonly maxWaitMs: number
}

const PER_MS = 1000
// Waits are sums of thousandths: a bound that no sum comes to exactly has no two sides by rounding.
const limits: fc.Arbitrary<Limits> = fc.record({ limit: fc.integer({ min: 1, max: 20 }), burst: fc.integer({ min: 1, max: 10 }), maxWaitMs: fc.constantFrom(0, 100.123, 1500.123) })
const waits = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(120) }, { weight: 1, arbitrary: fc.nat(3000) }), { maxLength: 60 })

/** A bucket of `burst` tokens that fills evenly: who finds none waits for the next that is nobody's, or is refused. */
class BucketModel {
  tokens: number
  at = 0
  readonly limits: Limits

  constructor(chosen: Limits) {
    this.limits = chosen
    this.tokens = chosen.burst
  }

  /** When the call is let through; undefined when it is refused. */
  comes(now: number): number | undefined {
    this.tokens = Math.min(this.limits.burst, this.tokens + ((now - this.at) * this.limits.limit) / PER_MS)
    this.at = now
    const waitMs = this.tokens >= 1 - 1e-6 ? 0 : ((1 - this.tokens) * PER_MS) / this.limits.limit
    if (waitMs > this.limits.maxWaitMs) return undefined
    this.tokens -= 1
    return now + waitMs
  }
}

/** The limiter lets through what a token bucket would, at the same times, and never more than its limit in any window. */
export const rateLimiterModel: PolicyModel = {
  name: 'rate limiter',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(limits, waits, async (chosen, pauses) => {
        const clock = new FakeClock()
        const limiter = createRateLimiter({ ...chosen, perMs: PER_MS, clock })
        const model = new BucketModel(chosen)
        const expected: number[] = []
        const passed: number[] = []
        for (const pauseMs of pauses) {
          if (pauseMs > 0) await clock.advance(pauseMs)
          const due = model.comes(clock.monotonic())
          if (due !== undefined) expected.push(due)
          let refusal: unknown
          limiter.execute(async () => void passed.push(clock.monotonic())).catch((error: unknown) => (refusal = error))
          await clock.advance(0)
          equal(OverloadError.isInstance(refusal), due === undefined)
        }
        await clock.advance(10_000)
        equal(passed.length, expected.length)
        for (const [index, at] of passed.entries()) ok(Math.abs(at - expected[index]!) < 1e-3, `call ${index} passed at ${at}, not at ${expected[index]}`)
        for (const [index, at] of passed.entries()) {
          const within = passed.slice(index).filter((later) => later < at + PER_MS - 1e-3).length
          ok(within <= chosen.limit + chosen.burst, `${within} calls within ${PER_MS} ms`)
        }
        equal(clock.pendingTimers, 0)
      }),
      { numRuns: runs, seed },
    ),
}
