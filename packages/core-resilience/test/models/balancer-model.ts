import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import {
  type Balancer,
  type BalancingStrategy,
  createBalancer,
  leastConnections,
  powerOfTwoChoices,
  randomChoice,
  rendezvousHash,
  roundRobin,
  type TargetLease,
  weightedRoundRobin,
} from '../../src/index.ts'
import { BalancerModel, LATENCY_DECAY_MS, type Outliers, type StrategyName, type Target } from './balancer-rules.ts'
import type { PolicyModel } from './policy-model.ts'

const STRATEGIES: Readonly<Record<StrategyName, () => BalancingStrategy>> = { roundRobin, randomChoice, weightedRoundRobin, leastConnections, powerOfTwoChoices, rendezvousHash }
const NAMES = ['a', 'b', 'c', 'd', 'e']

type Outcome = 'succeeded' | 'failed' | 'unknown'
type Step =
  | { kind: 'pick'; key: string | undefined; exclude: readonly string[] }
  | { kind: 'answer'; choice: number }
  | { kind: 'end'; choice: number; outcome: Outcome }
  | { kind: 'calls'; key: string | undefined; outcome: Outcome; times: number }
  | { kind: 'targets'; weights: readonly number[] }
  | { kind: 'pass'; ms: number }

class Bench {
  readonly clock = new FakeClock()
  readonly model: BalancerModel
  readonly balancer: Balancer<string>
  readonly open: { lease: TargetLease<string>; target: Target; beganAt: number; isAnswered: boolean }[] = []
  /** What chance said since the last choice. */
  chances: number[] = []

  constructor(strategy: StrategyName, outliers: Outliers, random: () => number) {
    this.model = new BalancerModel(strategy, outliers)
    this.balancer = createBalancer<string>({
      targets: [],
      strategy: STRATEGIES[strategy](),
      outliers,
      latencyDecayMs: LATENCY_DECAY_MS,
      clock: this.clock,
      random: () => {
        this.chances.push(random())
        return this.chances.at(-1)!
      },
    })
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'targets') this.#setTargets(step.weights)
    if (step.kind === 'pick') this.#pick(step.key, step.exclude)
    if (step.kind === 'answer') this.#answer(step.choice)
    if (step.kind === 'end') this.#end(step.choice, step.outcome)
    if (step.kind === 'calls') for (let time = 0; time < step.times; time++) this.#call(step.key, step.outcome)
    if (step.kind === 'pass') {
      await this.clock.advance(step.ms)
      this.model.now += step.ms
    }
  }

  /** A weight of 0: not there. */
  #setTargets(weights: readonly number[]): void {
    const targets = NAMES.map((name, index) => ({ name, target: name, weight: weights[index] ?? 0 })).filter(({ weight }) => weight > 0)
    this.balancer.setTargets(targets)
    this.model.setTargets(targets)
  }

  #pick(key: string | undefined, exclude: readonly string[]): boolean {
    const among = this.model.candidates(exclude)
    this.chances = []
    if (among.length === 0) {
      let error: unknown
      try {
        this.balancer.acquire({ key, exclude })
      } catch (thrown) {
        error = thrown
      }
      ok(ConnectionError.isInstance(error) && error.code === 'ERR_NO_TARGET')
      return false
    }
    const lease = this.balancer.acquire({ key, exclude: exclude.length === 0 ? undefined : exclude })
    const right = this.model.right(among, key, this.chances)
    const target = right.find(({ name }) => name === lease.name)
    ok(target !== undefined, `chose ${lease.name}, not ${right.map(({ name }) => name).join(' or ')}`)
    this.model.chose(among, key, target)
    this.open.push({ lease, target, beganAt: this.model.now, isAnswered: false })
    return true
  }

  /** The first piece of a stream; a second one tells nothing. */
  #answer(choice: number): void {
    const call = this.open[choice % Math.max(1, this.open.length)]
    if (call === undefined) return
    call.lease.answered()
    if (!call.isAnswered) this.model.answered(call.target, call.beganAt)
    call.isAnswered = true
  }

  #end(choice: number, outcome: Outcome): void {
    const [call] = this.open.splice(choice % Math.max(1, this.open.length), 1)
    if (call === undefined) return
    call.lease.release(outcome)
    // Only the first word counts.
    call.lease.release('failed')
    call.lease.answered()
    this.model.end(call.target, call, outcome)
  }

  #call(key: string | undefined, outcome: Outcome): void {
    if (this.#pick(key, [])) this.#end(this.open.length - 1, outcome)
  }

  compare(): void {
    const [views, targets] = [this.balancer.targets, this.model.targets]
    deepStrictEqual(views.map(({ name, underWay, isEjected }) => ({ name, underWay, isEjected })), targets.map(({ name, underWay, outUntil }) => ({ name, underWay, isEjected: outUntil > this.model.now })))
    for (const [index, { latencyMs }] of views.entries()) {
      const expected = this.model.latencyOf(targets[index]!)
      ok(Math.abs(latencyMs - expected) < 1e-6, `a latency of ${latencyMs} ms, not ${expected}`)
    }
  }
}

const key = fc.option(fc.constantFrom('k', 'l', 'm', 'n'), { nil: undefined })
const outcome = fc.constantFrom<Outcome>('succeeded', 'succeeded', 'failed', 'failed', 'unknown')
const weights = fc.array(fc.constantFrom(0, 1, 1, 1, 2, 3), { minLength: NAMES.length, maxLength: NAMES.length })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pick' as const), key, exclude: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.subarray(NAMES) }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('answer' as const), choice: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('end' as const), choice: fc.nat(20), outcome }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('calls' as const), key, outcome, times: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('targets' as const), weights }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.oneof({ weight: 3, arbitrary: fc.nat(60) }, { weight: 2, arbitrary: fc.constantFrom(100, 400) }, { weight: 1, arbitrary: fc.constantFrom(1_000, 3_000) }) }) },
)

const outliers: fc.Arbitrary<Outliers> = fc.record({
  consecutiveFailures: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(Infinity)),
  failureShare: fc.constantFrom(0.3, 0.5, 1),
  minimumCalls: fc.integer({ min: 1, max: 6 }),
  windowMs: fc.constantFrom(400, 1_000),
  ejectMs: fc.constantFrom(100, 400),
  maxEjectMs: fc.constantFrom(500, 3_000),
  maxEjectedShare: fc.constantFrom(0, 0.34, 0.5, 1),
})

const strategy = fc.constantFrom(...(Object.keys(STRATEGIES) as StrategyName[]))
const chances = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))

/** Each strategy chooses what its rule says among those that are in; outliers go out and come back, whatever becomes of the targets meanwhile. */
export const balancerModel: PolicyModel = {
  name: 'balancer',
  check: (runs, seed) =>
    fc.assert(
      fc.asyncProperty(strategy, outliers, weights, chances, fc.array(step, { maxLength: 70, size: 'max' }), async (name, rules, first, stream, steps) => {
        const bench = new Bench(name, rules, () => stream.next().value as number)
        await bench.take({ kind: 'targets', weights: first })
        for (const next of steps) {
          await bench.take(next)
          bench.compare()
        }
        equal(bench.clock.pendingTimers, 0)
      }),
      { numRuns: runs, seed },
    ),
}
