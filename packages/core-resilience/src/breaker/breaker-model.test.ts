import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Breaker, type BreakerEvent, BreakerOpenError, type BreakerState, createBreaker } from '../index.ts'

interface Limits {
  readonly consecutiveFailures: number
  readonly minimumCalls: number
  readonly failureShare: number
  readonly halfOpenProbes: number
  readonly successesToClose: number
}

const WINDOW_MS = 1000
const OPEN_MS = 500
const PROBE_TIMEOUT_MS = 2000

/** The rules once more, over a plain list of everything that happened. */
class BreakerModel {
  state: BreakerState = 'closed'
  era = 0
  now = 0
  openedAt = 0
  lastProbeAt = 0
  /** The latest time at which a call began or failed: that is when successes count. */
  seen = 0
  probes = 0
  successes = 0
  results: { at: number; failed: boolean }[] = []
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

  end(era: number, failed: boolean): void {
    if (era !== this.era) return
    if (this.state === 'half-open') return this.endProbe(failed)
    if (failed) this.seen = this.now
    this.results.push({ at: this.seen, failed })
    if (failed && (this.inARow() >= this.limits.consecutiveFailures || this.tooManyFailed())) this.open()
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

  private tooManyFailed(): boolean {
    const slotOf = (at: number): number => Math.floor(at / (WINDOW_MS / 10))
    const recent = this.results.filter((result) => slotOf(result.at) > slotOf(this.now) - 10)
    return recent.length >= this.limits.minimumCalls && recent.filter((result) => result.failed).length >= recent.length * this.limits.failureShare
  }

  private open(): void {
    this.openedAt = this.now
    this.enter('open')
  }

  private enter(state: BreakerState): void {
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
  readonly open: { era: number; end: (failed: boolean) => Promise<void> }[] = []

  readonly visited: Set<BreakerEvent['reason'] | 'probe_refused'>

  constructor(limits: Limits, visited: Bench['visited']) {
    this.visited = visited
    this.model = new BreakerModel(limits)
    this.breaker = createBreaker({
      ...limits,
      windowMs: WINDOW_MS,
      openMs: OPEN_MS,
      probeTimeoutMs: PROBE_TIMEOUT_MS,
      clock: this.clock,
      onStateChange: ({ reason }) => visited.add(reason),
    })
  }

  async begin(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let admitted = false
    const call = this.breaker.execute(() => {
      admitted = true
      return promise
    })
    const settled = call.catch((error: unknown) => error)

    expect(admitted).toBe(this.model.admits())
    if (!admitted) {
      if (this.model.state === 'half-open') this.visited.add('probe_refused')
      expect(BreakerOpenError.isInstance(await settled)).toBe(true)
      return
    }
    this.open.push({
      era: this.model.era,
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
    this.model.end(call.era, failed)
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
    this.model.now += ms
  }
}

type Step = { kind: 'begin' } | { kind: 'end'; choice: number; failed: boolean } | { kind: 'call'; failed: boolean } | { kind: 'pass'; ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('begin' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), choice: fc.nat(10), failed: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('call' as const), failed: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.oneof(fc.nat(150), fc.constantFrom(OPEN_MS, WINDOW_MS, PROBE_TIMEOUT_MS), fc.nat(3000)) }) },
)

const limits: fc.Arbitrary<Limits> = fc.record({
  consecutiveFailures: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(Infinity)),
  minimumCalls: fc.integer({ min: 1, max: 10 }),
  failureShare: fc.double({ min: 0.1, max: 1, noNaN: true }),
  halfOpenProbes: fc.integer({ min: 1, max: 3 }),
  successesToClose: fc.integer({ min: 1, max: 4 }),
})

describe('createBreaker', () => {
  it('behaves like its model for any course of calls, results and time', async () => {
    const visited = new Set<BreakerEvent['reason'] | 'probe_refused'>()
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 80, size: 'max' }), async (chosen, steps) => {
        const bench = new Bench(chosen, visited)
        for (const next of steps) {
          if (next.kind === 'pass') await bench.pass(next.ms)
          if (next.kind === 'begin' || next.kind === 'call') await bench.begin()
          if (next.kind === 'end') await bench.end(next.choice, next.failed)
          if (next.kind === 'call') await bench.end(bench.open.length - 1, next.failed)
          expect(bench.breaker.state).toBe(bench.model.state)
        }
        expect(bench.clock.pendingTimers).toBe(0)
      }),
      { numRuns: 300 },
    )
    // Runs in which nothing happened would have shown nothing.
    expect([...visited].sort()).toEqual([
      'consecutive_failures',
      'failure_rate',
      'probe_failed',
      'probe_overdue',
      'probe_refused',
      'probes_succeeded',
      'wait_over',
    ])
  })
})
