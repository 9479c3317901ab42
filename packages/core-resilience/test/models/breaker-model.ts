import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { type Breaker, type BreakerEvent, BreakerOpenError, type BreakerState, createBreaker } from '../../src/index.ts'
import type { PolicyModel } from './policy-model.ts'

interface Limits {
  readonly consecutiveFailures: number
  readonly minimumCalls: number
  readonly failureShare: number
  readonly halfOpenProbes: number
  readonly successesToClose: number
  /** Undefined: the window is a time. */
  readonly windowCalls: number | undefined
  readonly slowShare: number
}

const WINDOW_MS = 1000
const OPEN_MS = 500
const PROBE_TIMEOUT_MS = 2000
const SLOW_MS = 100

/** The rules once more, over a plain list of everything that happened. */
class BreakerModel {
  state: BreakerState = 'closed'
  era = 0
  changes = 0
  now = 0
  openedAt = 0
  lastProbeAt = 0
  /** The latest time at which a call began or failed: that is when successes count. */
  seen = 0
  probes = 0
  successes = 0
  results: { at: number; failed: boolean; slow: boolean }[] = []
  readonly limits: Limits

  constructor(limits: Limits) {
    this.limits = limits
  }

  /** Whether a call is let through now. */
  admits(): boolean {
    this.seen = this.now
    if (this.state === 'half-open' && this.probes > 0 && this.now - this.lastProbeAt >= PROBE_TIMEOUT_MS) this.open()
    if (this.state === 'open' && this.now - this.openedAt >= OPEN_MS) this.enter('half-open')
    if (this.state === 'closed') return true
    if (this.state === 'open' || this.probes >= this.limits.halfOpenProbes) return false
    this.probes += 1
    this.lastProbeAt = this.now
    return true
  }

  end(era: number, beganAt: number, failed: boolean): void {
    // A breaker that knows slow calls looks at the clock when a call ends.
    this.seen = this.now
    if (era !== this.era) return
    const slow = this.now - beganAt >= SLOW_MS
    if (this.state === 'half-open') return this.endProbe(failed || slow)
    this.results.push({ at: this.seen, failed, slow })
    if (failed && this.inARow() >= this.limits.consecutiveFailures) return this.open()
    const recent = this.recent()
    if (recent.length < this.limits.minimumCalls || !(failed || slow)) return
    const failures = recent.filter((result) => result.failed).length
    const slowOnes = recent.filter((result) => result.slow).length
    if (failures > 0 && failures >= recent.length * this.limits.failureShare) this.open()
    else if (slowOnes > 0 && slowOnes >= recent.length * this.limits.slowShare) this.open()
  }

  trip(): void {
    this.openedAt = Infinity
    this.enter('open')
  }

  reset(): void {
    this.enter('closed')
  }

  private endProbe(failed: boolean): void {
    if (failed) return this.open()
    this.probes -= 1
    this.successes += 1
    if (this.successes >= this.limits.successesToClose) this.enter('closed')
  }

  private inARow(): number {
    const lastSuccess = this.results.findLastIndex((result) => !result.failed)
    return this.results.length - 1 - lastSuccess
  }

  private recent(): typeof this.results {
    if (this.limits.windowCalls !== undefined) return this.results.slice(-this.limits.windowCalls)
    const slotOf = (at: number): number => Math.floor(at / (WINDOW_MS / 10))
    return this.results.filter((result) => slotOf(result.at) > slotOf(this.now) - 10)
  }

  private open(): void {
    this.openedAt = this.now
    this.enter('open')
  }

  private enter(state: BreakerState): void {
    if (state !== this.state) this.changes += 1
    this.state = state
    this.era += 1
    this.probes = 0
    this.successes = 0
    this.results = []
  }
}

/** Model and breaker side by side; every step is made on both and compared. */
class Bench {
  readonly clock = new FakeClock()
  readonly breaker: Breaker
  readonly model: BreakerModel
  readonly open: { era: number; beganAt: number; end: (failed: boolean) => Promise<void> }[] = []

  readonly visited: Set<BreakerEvent['reason'] | 'probe_refused'>
  changes = 0

  constructor(limits: Limits, visited: Bench['visited']) {
    this.visited = visited
    this.model = new BreakerModel(limits)
    this.breaker = createBreaker({
      ...limits,
      windowMs: WINDOW_MS,
      openMs: OPEN_MS,
      probeTimeoutMs: PROBE_TIMEOUT_MS,
      slowCallMs: SLOW_MS,
      clock: this.clock,
      onStateChange: ({ reason }) => {
        visited.add(reason)
        this.changes += 1
      },
    })
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'pass') await this.pass(step.ms)
    if (step.kind === 'begin' || step.kind === 'call') await this.begin()
    if (step.kind === 'end') await this.end(step.choice, step.failed)
    if (step.kind === 'call') await this.end(this.open.length - 1, step.failed)
    if (step.kind === 'trip') {
      this.breaker.trip()
      this.model.trip()
    }
    if (step.kind === 'reset') {
      this.breaker.reset()
      this.model.reset()
    }
  }

  async begin(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let admitted = false
    const call = this.breaker.execute(() => {
      admitted = true
      return promise
    })
    const settled = call.catch((error: unknown) => error)

    equal(admitted, this.model.admits())
    if (!admitted) {
      if (this.model.state === 'half-open') this.visited.add('probe_refused')
      ok(BreakerOpenError.isInstance(await settled))
      return
    }
    this.open.push({
      era: this.model.era,
      beganAt: this.model.now,
      end: async (failed) => {
        if (failed) reject(new ConnectionError('away'))
        else resolve()
        await settled
      },
    })
  }

  async end(choice: number, failed: boolean): Promise<void> {
    const [call] = this.open.splice(choice % Math.max(1, this.open.length), 1)
    if (call === undefined) return
    await call.end(failed)
    this.model.end(call.era, call.beganAt, failed)
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
    this.model.now += ms
  }
}

type Step = { kind: 'begin' } | { kind: 'end'; choice: number; failed: boolean } | { kind: 'call'; failed: boolean } | { kind: 'pass'; ms: number } | { kind: 'trip' } | { kind: 'reset' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('begin' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), choice: fc.nat(10), failed: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('call' as const), failed: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.oneof(fc.nat(150), fc.constantFrom(OPEN_MS, WINDOW_MS, PROBE_TIMEOUT_MS), fc.nat(3000)) }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: 'trip' }, { kind: 'reset' }, { kind: 'reset' }) },
)

const limits: fc.Arbitrary<Limits> = fc
  .record({
    consecutiveFailures: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(Infinity)),
    minimumCalls: fc.integer({ min: 1, max: 10 }),
    failureShare: fc.double({ min: 0.1, max: 1, noNaN: true }),
    halfOpenProbes: fc.integer({ min: 1, max: 3 }),
    successesToClose: fc.integer({ min: 1, max: 4 }),
    windowCalls: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    slowShare: fc.double({ min: 0.3, max: 1, noNaN: true }),
  })
  .map((chosen) => (chosen.windowCalls === undefined ? chosen : { ...chosen, minimumCalls: Math.min(chosen.minimumCalls, chosen.windowCalls) }))

/** A breaker does what its rules say for any course of calls, results, time and hands. */
export const breakerModel: PolicyModel = {
  name: 'breaker',
  check: async (runs, seed) => {
    const visited: Bench['visited'] = new Set()
    const property = fc.asyncProperty(limits, fc.array(step, { maxLength: 80, size: 'max' }), async (chosen, steps) => {
      const bench = new Bench(chosen, visited)
      for (const next of steps) {
        await bench.take(next)
        equal(bench.breaker.state, bench.model.state)
        equal(bench.changes, bench.model.changes)
      }
      equal(bench.clock.pendingTimers, 0)
    })
    await fc.assert(property, { numRuns: runs, seed })
    // Runs in which nothing happened would have shown nothing.
    if (runs >= 1_000) deepStrictEqual([...visited].sort(), EVERYTHING)
  },
}

const EVERYTHING = [
  'consecutive_failures',
  'failure_rate',
  'probe_failed',
  'probe_overdue',
  'probe_refused',
  'probes_succeeded',
  'reset',
  'slow_calls',
  'tripped',
  'wait_over',
]
