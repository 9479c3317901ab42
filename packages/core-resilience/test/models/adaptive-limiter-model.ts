import { deepStrictEqual, equal } from 'node:assert/strict'
import { ConnectionError, InfrastructureError, ValidationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { type AdaptiveLimiter, compose, createAdaptiveLimiter, createTimeout } from '../../src/index.ts'
import type { PolicyModel } from './policy-model.ts'

const TIMEOUT_MS = 500
const MAX_WAIT_MS = 200

interface Limits {
  readonly algorithm: 'gradient' | 'aimd'
  readonly initialLimit: number
  readonly minLimit: number
  readonly maxLimit: number
  readonly windowMs: number
  readonly windowCalls: number
  readonly maxQueued: number
}

/** `overloaded` speaks of overload; `refused` is an answer that says nothing of it, as for wrong input. */
type Result = 'done' | 'overloaded' | 'refused'
type Fate = 'running' | 'queued' | 'abandoned' | 'timed out' | 'over'
type Step = { kind: 'begin' } | { kind: 'end'; choice: number; result: Result } | { kind: 'abort'; choice: number } | { kind: 'pass'; ms: number }

interface Call {
  readonly cameAt: number
  admittedAt: number
  fate: Fate
  seen: string
}

/** The rules over a plain list of calls, and of what ended since the limit was last looked at. */
class Model {
  now = 0
  readonly calls: Call[] = []
  readonly limits: Limits
  exact: number
  limit: number
  private windowBeganAt: number | undefined = undefined
  private ended: { tookMs: number; result: Result }[] = []
  private mostAtOnce = 0
  private longRunMs = 0

  constructor(limits: Limits) {
    this.limits = limits
    this.exact = Math.min(limits.maxLimit, Math.max(limits.minLimit, limits.initialLimit))
    this.limit = this.exact
  }

  get holding(): number {
    return this.calls.filter(({ fate }) => fate === 'running' || fate === 'abandoned' || fate === 'timed out').length
  }

  begin(): void {
    const queued = this.calls.filter(({ fate }) => fate === 'queued').length
    const call: Call = { cameAt: this.now, admittedAt: this.now, fate: 'queued', seen: 'queued' }
    if (queued >= this.limits.maxQueued && !(this.holding < this.limit && queued === 0)) this.settle(call, 'ERR_CONCURRENCY_LIMITED')
    this.calls.push(call)
    if (queued === 0) this.admit()
  }

  end(index: number, result: Result): void {
    const call = this.calls[index]!
    const { fate } = call
    // What nobody waits for any more ends in its own time, and tells only of why it was given up.
    if (fate !== 'abandoned') this.note({ tookMs: this.now - call.admittedAt, result: fate === 'timed out' ? 'overloaded' : result }, call.admittedAt)
    if (fate === 'running') call.seen = CODES[result]
    call.fate = 'over'
    this.admit()
  }

  abort(index: number): void {
    const call = this.calls[index]!
    if (call.fate === 'queued') return this.settle(call, 'ERR_ABORTED')
    call.fate = 'abandoned'
    call.seen = 'ERR_ABORTED'
  }

  pass(ms: number): void {
    this.now += ms
    for (const call of this.calls) {
      if (call.fate === 'queued' && this.now >= call.cameAt + MAX_WAIT_MS) this.settle(call, 'ERR_CONCURRENCY_LIMITED')
      if (call.fate !== 'running' || this.now < call.cameAt + TIMEOUT_MS) continue
      call.fate = 'timed out'
      call.seen = 'ERR_TIMEOUT'
    }
  }

  private settle(call: Call, seen: string): void {
    call.fate = 'over'
    call.seen = seen
  }

  private admit(): void {
    for (const call of this.calls) {
      if (call.fate !== 'queued' || this.holding >= this.limit) continue
      call.fate = 'running'
      call.seen = 'running'
      call.admittedAt = this.now
      this.mostAtOnce = Math.max(this.mostAtOnce, this.holding)
    }
  }

  private note(end: { tookMs: number; result: Result }, admittedAt: number): void {
    this.windowBeganAt ??= admittedAt
    this.ended.push(end)
    if (this.ended.length < this.limits.windowCalls || this.now - this.windowBeganAt < this.limits.windowMs) return
    const times = this.ended.filter(({ result }) => result === 'done').map(({ tookMs }) => tookMs)
    const isOverloaded = this.ended.some(({ result }) => result === 'overloaded')
    const meanMs = times.length === 0 ? 0 : times.reduce((sum, ms) => sum + ms, 0) / times.length
    if (times.length > 0 || isOverloaded) {
      const wanted = isOverloaded ? this.exact * 0.9 : this.limits.algorithm === 'aimd' ? this.additive() : this.gradient(meanMs)
      this.exact = Math.min(this.limits.maxLimit, Math.max(this.limits.minLimit, wanted))
    }
    this.limit = Math.max(this.limits.minLimit, Math.floor(this.exact + 1e-9))
    this.windowBeganAt = this.now
    this.ended = []
    // The one that ends is still there.
    this.mostAtOnce = this.holding
  }

  private additive(): number {
    return this.mostAtOnce < this.exact / 2 ? this.exact : this.exact + 1
  }

  private gradient(meanMs: number): number {
    this.longRunMs = this.longRunMs === 0 ? meanMs : this.longRunMs + (meanMs - this.longRunMs) / 100
    if (this.longRunMs > 2 * meanMs) this.longRunMs *= 0.95
    if (this.mostAtOnce < this.exact / 2) return this.exact
    const share = Math.max(0.5, Math.min(1, (1.5 * this.longRunMs) / Math.max(meanMs, 0.001)))
    return this.exact * 0.8 + (this.exact * share + 4) * 0.2
  }
}

const CODES: Readonly<Record<Result, string>> = { done: 'done', overloaded: 'ERR_CONNECTION', refused: 'ERR_VALIDATION' }

class Bench {
  readonly clock = new FakeClock()
  readonly model: Model
  readonly limiter: AdaptiveLimiter
  readonly moves: { from: number; to: number }[] = []
  readonly calls: { seen: string; finish: (result: Result) => void; abort: AbortController }[] = []

  constructor(limits: Limits) {
    this.model = new Model(limits)
    this.limiter = createAdaptiveLimiter({ ...limits, maxWaitMs: MAX_WAIT_MS, clock: this.clock, onLimitChange: ({ from, to }) => this.moves.push({ from, to }) })
  }

  begin(): void {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const finish = (result: Result): void => {
      if (result === 'done') resolve()
      else reject(result === 'overloaded' ? new ConnectionError('away') : new ValidationError('wrong', { issues: [] }))
    }
    const call: Bench['calls'][number] = { seen: 'queued', finish, abort: new AbortController() }
    compose(createTimeout({ timeoutMs: TIMEOUT_MS, clock: this.clock }), this.limiter)
      .execute(
        () => {
          call.seen = 'running'
          return promise
        },
        { signal: call.abort.signal },
      )
      .then(
        () => (call.seen = 'done'),
        (error: unknown) => (call.seen = InfrastructureError.isInstance(error) ? error.code : String(error)),
      )
    this.calls.push(call)
    this.model.begin()
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'begin') this.begin()
    if (step.kind === 'pass') this.model.pass(step.ms)
    if (step.kind === 'end') this.#choose(step.choice, ['running', 'abandoned', 'timed out'], (index) => this.#end(index, step.result))
    if (step.kind === 'abort') this.#choose(step.choice, ['running', 'queued'], (index) => {
      this.calls[index]!.abort.abort()
      this.model.abort(index)
    })
    await this.clock.advance(step.kind === 'pass' ? step.ms : 0)
  }

  #end(index: number, result: Result): void {
    this.calls[index]!.finish(result)
    this.model.end(index, result)
  }

  #choose(choice: number, fates: readonly Fate[], act: (index: number) => void): void {
    const fitting = this.model.calls.flatMap(({ fate }, index) => (fates.includes(fate) ? [index] : []))
    if (fitting.length > 0) act(fitting[choice % fitting.length]!)
  }

  compare(): void {
    deepStrictEqual(this.calls.map(({ seen }) => seen), this.model.calls.map(({ seen }) => seen))
    equal(this.limiter.underWay, this.model.holding)
    equal(this.limiter.limit, this.model.limit)
    equal(this.moves.at(-1)?.to ?? this.limiter.limit, this.model.limit)
  }
}

const result = fc.constantFrom<Result>('done', 'done', 'done', 'done', 'overloaded', 'refused')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>({ kind: 'begin' }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('end' as const), choice: fc.nat(20), result }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), choice: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.oneof(fc.nat(50), fc.constantFrom(MAX_WAIT_MS, TIMEOUT_MS)) }) },
)

const limits: fc.Arbitrary<Limits> = fc.record({
  algorithm: fc.constantFrom('gradient' as const, 'aimd' as const),
  initialLimit: fc.integer({ min: 1, max: 8 }),
  minLimit: fc.integer({ min: 1, max: 3 }),
  maxLimit: fc.integer({ min: 3, max: 12 }),
  windowMs: fc.constantFrom(0, 50, 100),
  windowCalls: fc.integer({ min: 1, max: 4 }),
  maxQueued: fc.nat(3),
})

/** The limit moves as its rule says by what really ended and how long it took; never more at once, first come first served. */
export const adaptiveLimiterModel: PolicyModel = {
  name: 'adaptive limiter',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 70, size: 'max' }), async (chosen, steps) => {
        const bench = new Bench(chosen)
        for (const next of steps) {
          await bench.take(next)
          bench.compare()
        }
        for (const call of bench.calls) call.finish('done')
        await bench.clock.advance(TIMEOUT_MS)
        for (const call of bench.calls) call.finish('done')
        await bench.clock.advance(0)
        equal(bench.limiter.underWay, 0)
        equal(bench.limiter.queued, 0)
        equal(bench.clock.pendingTimers, 0)
      }),
      { numRuns: runs, seed },
    ),
}
