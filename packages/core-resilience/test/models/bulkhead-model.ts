import { deepStrictEqual, equal } from 'node:assert/strict'
import { InfrastructureError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { type Bulkhead, compose, createBulkhead, createTimeout } from '../../src/index.ts'
import type { PolicyModel } from './policy-model.ts'

const MAX_WAIT_MS = 200
const TIMEOUT_MS = 500

interface Limits {
  readonly maxConcurrent: number
  readonly maxQueued: number
}

type Step = { kind: 'begin' } | { kind: 'end'; choice: number } | { kind: 'abort'; choice: number } | { kind: 'pass'; ms: number }

/** What became of a call, or what it waits for. */
type Fate = 'running' | 'queued' | 'left behind' | 'done' | 'ERR_BULKHEAD_FULL' | 'ERR_TIMEOUT' | 'ERR_ABORTED'

/** The rules over a plain list of calls. */
class Model {
  readonly calls: { beganAt: number; fate: Fate; seen: Fate }[] = []
  readonly limits: Limits
  now = 0

  constructor(limits: Limits) {
    this.limits = limits
  }

  get holding(): number {
    return this.calls.filter(({ fate }) => fate === 'running' || fate === 'left behind').length
  }

  begin(): void {
    const queued = this.calls.filter(({ fate }) => fate === 'queued').length
    const fate = this.holding < this.limits.maxConcurrent && queued === 0 ? 'running' : queued < this.limits.maxQueued ? 'queued' : 'ERR_BULKHEAD_FULL'
    this.calls.push({ beganAt: this.now, fate, seen: fate })
  }

  /** The call's work ends. */
  end(index: number): void {
    const call = this.calls[index]!
    call.seen = call.fate === 'running' ? 'done' : call.seen
    call.fate = 'done'
    this.admit()
  }

  abort(index: number): void {
    const call = this.calls[index]!
    call.seen = 'ERR_ABORTED'
    call.fate = call.fate === 'running' ? 'left behind' : 'ERR_ABORTED'
  }

  pass(ms: number): void {
    this.now += ms
    for (const call of this.calls) {
      if (call.fate === 'queued' && this.now >= call.beganAt + MAX_WAIT_MS) call.seen = call.fate = 'ERR_BULKHEAD_FULL'
      if (call.fate === 'running' && this.now >= call.beganAt + TIMEOUT_MS) {
        call.seen = 'ERR_TIMEOUT'
        call.fate = 'left behind'
      }
    }
  }

  private admit(): void {
    for (const call of this.calls) {
      if (this.holding >= this.limits.maxConcurrent) return
      if (call.fate === 'queued') call.seen = call.fate = 'running'
    }
  }
}

class Bench {
  readonly clock = new FakeClock()
  readonly model: Model
  readonly bulkhead: Bulkhead
  readonly calls: { seen: Fate; finish: () => void; abort: AbortController; settled: Promise<void> }[] = []

  constructor(limits: Limits) {
    this.model = new Model(limits)
    this.bulkhead = createBulkhead({ ...limits, maxWaitMs: MAX_WAIT_MS, clock: this.clock })
  }

  begin(): void {
    const abort = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    const call: (typeof this.calls)[number] = { seen: 'queued', finish: resolve, abort, settled: Promise.resolve() }
    const policy = compose(createTimeout({ timeoutMs: TIMEOUT_MS, clock: this.clock }), this.bulkhead)
    const running = policy.execute(
      () => {
        call.seen = 'running'
        return promise
      },
      { signal: abort.signal },
    )
    call.settled = running.then(
      () => void (call.seen = 'done'),
      (error: unknown) => void (call.seen = InfrastructureError.isInstance(error) ? (error.code as Fate) : 'done'),
    )
    this.calls.push(call)
    this.model.begin()
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'begin') this.begin()
    if (step.kind === 'pass') this.model.pass(step.ms)
    if (step.kind === 'end') this.#choose(step.choice, ['running', 'left behind'], (index) => {
      this.calls[index]!.finish()
      this.model.end(index)
    })
    if (step.kind === 'abort') this.#choose(step.choice, ['running', 'queued'], (index) => {
      this.calls[index]!.abort.abort()
      this.model.abort(index)
    })
    await this.clock.advance(step.kind === 'pass' ? step.ms : 0)
  }

  #choose(choice: number, fates: readonly Fate[], act: (index: number) => void): void {
    const fitting = this.model.calls.flatMap(({ fate }, index) => (fates.includes(fate) ? [index] : []))
    if (fitting.length > 0) act(fitting[choice % fitting.length]!)
  }
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Step>({ kind: 'begin' }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('end' as const), choice: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), choice: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.oneof(fc.nat(50), fc.constant(MAX_WAIT_MS), fc.constant(TIMEOUT_MS)) }) },
)

/** Never more at once than allowed, first come first served, a place held until the work has really ended. */
export const bulkheadModel: PolicyModel = {
  name: 'bulkhead',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(fc.record({ maxConcurrent: fc.integer({ min: 1, max: 3 }), maxQueued: fc.nat(3) }), fc.array(step, { maxLength: 40 }), async (limits, steps) => {
        const bench = new Bench(limits)
        for (const next of steps) {
          await bench.take(next)
          deepStrictEqual(bench.calls.map(({ seen }) => seen), bench.model.calls.map(({ seen }) => seen))
          equal(bench.bulkhead.underWay, bench.model.holding)
        }
        for (const call of bench.calls) call.finish()
        await bench.clock.advance(0)
        equal(bench.bulkhead.underWay, 0)
        equal(bench.bulkhead.queued, 0)
        equal(bench.clock.pendingTimers, 0)
      }),
      { numRuns: runs, seed },
    ),
}
