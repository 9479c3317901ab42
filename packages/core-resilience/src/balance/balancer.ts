import { type Clock, ConnectionError, InfrastructureError, type MetricsSink, type PolicyCall, type PolicyContext, silentMetrics, systemClock, TimeoutError } from '@smart-whale/interfaces'
import { countOption, durationOption, rateOption, shareOption } from '../check-options.ts'
import { optionError } from '../errors.ts'
import { contextOf, isCancelled, reasonOf } from '../executor/scope.ts'
import { notify } from '../notify.ts'
import { type BalancingStrategy, powerOfTwoChoices } from './strategies.ts'
import { RecordLease, type TargetLease } from './target-lease.ts'
import { type OutlierOptions, type OutlierRules, TargetRecord } from './target-record.ts'

/** Something that calls can go to. */
export interface BalancedTarget<T> {
  /** In events, metrics and hashes: stays the same as long as it is the same target. */
  readonly name: string
  readonly target: T
  /** Share of the work that it is to get, against the others'. @default 1 */
  readonly weight?: number | undefined
}

/** A target was taken out for a while. */
export interface EjectionEvent {
  readonly balancer: string
  readonly target: string
  readonly forMs: number
}

/** How calls are spread; see {@link createBalancer}. */
export interface BalancerOptions<T> {
  /** Name in errors, events and metrics. @default 'default' */
  name?: string | undefined
  /** Where calls may go. */
  targets: readonly BalancedTarget<T>[]
  /** Which of them a call goes to. @default powerOfTwoChoices() */
  strategy?: BalancingStrategy | undefined
  /** When a target is taken out for a while; `false` for never. @default 5 failures in a row, or half of 20 calls */
  outliers?: OutlierOptions | false | undefined
  /** Time after which a measured latency has lost most of its weight. @default 10_000 */
  latencyDecayMs?: number | undefined
  /** Which failures speak against the target. @default retryable ones and those of unknown origin */
  isFailure?: ((error: unknown) => boolean) | undefined
  /** Told when a target is taken out. What it throws is ignored. @default nobody */
  onEjection?: ((event: EjectionEvent) => void) | undefined
  /** Where calls and ejections are counted, by target. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Numbers from 0 up to 1. @default Math.random */
  random?: (() => number) | undefined
}

/** What one call asks of a balancer. */
export interface AcquireOptions {
  /** What the call is about, for strategies that keep a key at its place. @default none */
  key?: string | undefined
  /** Targets that won't do: those tried already. Taken all the same when there is no other. @default none */
  exclude?: readonly string[] | undefined
}

/** What is known of a target. */
export interface TargetView {
  readonly name: string
  /** Leases that have not been released. */
  readonly underWay: number
  /** Mean time of its answers: quick to rise, slow to fall, and falling while it isn't asked; 0 while nothing is known. */
  readonly latencyMs: number
  readonly isEjected: boolean
}

/** Spreads calls over targets, and leaves out for a while what fails. */
export interface Balancer<T> {
  /** Chooses a target and holds it until it is released. Throws `ConnectionError` (`ERR_NO_TARGET`) when there is none at all. */
  acquire(options?: AcquireOptions): TargetLease<T>
  /** Runs work against a chosen target and notes how it went. */
  execute<R>(work: (target: T, context: PolicyContext) => Promise<R>, call?: PolicyCall & AcquireOptions): Promise<R>
  /** Other targets from now on; one that keeps its name keeps what is known of it. */
  setTargets(targets: readonly BalancedTarget<T>[]): void
  readonly targets: readonly TargetView[]
}

/**
 * Spreads calls over targets by a strategy. A target that fails again and again is left out for a while, longer each time; never
 * more than `maxEjectedShare` of them, and when all are out or excluded, any will do rather than none. No timers.
 */
export function createBalancer<T>(options: BalancerOptions<T>): Balancer<T> {
  return new OutlierBalancer(options)
}

class OutlierBalancer<T> implements Balancer<T> {
  readonly #name: string
  readonly #strategy: BalancingStrategy
  readonly #rules: OutlierRules
  readonly #decayMs: number
  readonly #clock: Clock
  readonly #random: () => number
  readonly #isFailure: (error: unknown) => boolean
  readonly #called: (target: string) => void
  readonly #ejected: (target: string, forMs: number) => void
  readonly #readMoment = (): number => this.#momentMs
  #records: readonly TargetRecord<T>[] = []
  /** The time of the choice, or of the view, that is being made. */
  #momentMs = 0
  /** Until when at least one is out: before it, all are candidates and no list has to be made. */
  #someOutUntilMs = -Infinity

  constructor(options: BalancerOptions<T>) {
    const { name = 'default', metrics = silentMetrics } = options
    this.#name = name
    this.#strategy = options.strategy ?? powerOfTwoChoices()
    this.#rules = outlierRules(options.outliers ?? {})
    this.#decayMs = durationOption('latencyDecayMs', options.latencyDecayMs ?? 10_000, 1)
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? Math.random
    this.#isFailure = options.isFailure ?? ((error) => !InfrastructureError.isInstance(error) || error.retryable)
    const calls = metrics.counter({ name: 'smart_whale_balancer_calls_total', help: 'Calls by target', labelNames: ['balancer', 'target'] })
    const ejections = metrics.counter({ name: 'smart_whale_balancer_ejections_total', help: 'Targets taken out', labelNames: ['balancer', 'target'] })
    this.#called = (target) => calls.inc({ balancer: name, target })
    this.#ejected = (target, forMs) => {
      ejections.inc({ balancer: name, target })
      notify(options.onEjection, { balancer: name, target, forMs })
    }
    this.setTargets(options.targets)
  }

  get targets(): readonly TargetView[] {
    const nowMs = this.#look()
    return this.#records.map(({ name, underWay, latencyMs, ejectedUntilMs }) => ({ name, underWay, latencyMs, isEjected: ejectedUntilMs > nowMs }))
  }

  setTargets(targets: readonly BalancedTarget<T>[]): void {
    const names = new Set(targets.map(({ name }) => name))
    if (names.size < targets.length) throw optionError('targets', targets, 'targets of different names')
    this.#records = targets.map(({ name, target, weight = 1 }) => {
      if (rateOption('weight', weight) === 0) throw optionError('weight', weight, 'above 0; leave the target out instead')
      const known = this.#records.find((record) => record.name === name && record.target === target && record.weight === weight)
      return known ?? new TargetRecord({ name, target, weight, decayMs: this.#decayMs, nowMs: this.#readMoment }, this.#rules)
    })
  }

  acquire({ key, exclude }: AcquireOptions = {}): TargetLease<T> {
    const nowMs = this.#look()
    const record = this.#strategy.choose(this.#candidates(nowMs, exclude), key, this.#random)
    this.#called(record.name)
    return new RecordLease(record, nowMs, this.#clock, this.#failed)
  }

  async execute<R>(work: (target: T, context: PolicyContext) => Promise<R>, call?: PolicyCall & AcquireOptions): Promise<R> {
    const lease = this.acquire(call)
    try {
      const result = await work(lease.target, contextOf(call))
      lease.release('succeeded')
      return result
    } catch (error) {
      this.#releaseFailed(lease, error, isCancelled(call) && !TimeoutError.isInstance(reasonOf(call)))
      throw error
    }
  }

  #releaseFailed(lease: TargetLease<T>, error: unknown, callerLeft: boolean): void {
    try {
      // A failure that doesn't speak against the target is an answer from it.
      lease.release(callerLeft || isAborted(error) ? 'unknown' : this.#isFailure(error) ? 'failed' : 'succeeded')
    } finally {
      // When the rule threw.
      lease.release('unknown')
    }
  }

  #look(): number {
    this.#momentMs = this.#clock.monotonic()
    return this.#momentMs
  }

  #candidates(nowMs: number, exclude: readonly string[] | undefined): readonly TargetRecord<T>[] {
    if (this.#records.length === 0) {
      throw new ConnectionError(`balancer "${this.#name}" has no target; give it one with setTargets`, { code: 'ERR_NO_TARGET', context: { balancer: this.#name } })
    }
    if (nowMs >= this.#someOutUntilMs && exclude === undefined) return this.#records
    const isIn = ({ ejectedUntilMs }: TargetRecord<T>): boolean => ejectedUntilMs <= nowMs
    const isFresh = ({ name }: TargetRecord<T>): boolean => exclude?.includes(name) !== true
    const best = this.#records.filter((record) => isIn(record) && isFresh(record))
    if (best.length > 0) return best
    const fresh = this.#records.filter(isFresh)
    return fresh.length > 0 ? fresh : this.#records
  }

  /** Counts a failure against a target, and takes it out if that is one too many. */
  readonly #failed = (record: TargetRecord<T>, nowMs: number): void => {
    // What fails while it is out began before, or there was no other: it stays out no longer for that.
    if (!record.failed(nowMs) || record.ejectedUntilMs > nowMs || !this.#mayEject(record, nowMs)) return
    record.eject(nowMs)
    this.#someOutUntilMs = Math.max(this.#someOutUntilMs, record.ejectedUntilMs)
    this.#ejected(record.name, record.ejectedUntilMs - nowMs)
  }

  #mayEject(record: TargetRecord<T>, nowMs: number): boolean {
    if (!this.#records.includes(record) || this.#records.length === 1) return false
    const out = this.#records.filter(({ ejectedUntilMs }) => ejectedUntilMs > nowMs).length
    return out < Math.max(1, Math.floor(this.#records.length * this.#rules.maxEjectedShare))
  }
}

function outlierRules(options: OutlierOptions | false): OutlierRules {
  const given: OutlierOptions = options === false ? { consecutiveFailures: Infinity, minimumCalls: Infinity } : options
  return {
    consecutiveFailures: countOption('consecutiveFailures', given.consecutiveFailures ?? 5),
    failureShare: shareOption('failureShare', given.failureShare ?? 0.5),
    minimumCalls: countOption('minimumCalls', given.minimumCalls ?? 20),
    windowMs: durationOption('windowMs', given.windowMs ?? 10_000, 1),
    ejectMs: durationOption('ejectMs', given.ejectMs ?? 10_000, 1),
    maxEjectMs: durationOption('maxEjectMs', given.maxEjectMs ?? 300_000, 1),
    maxEjectedShare: shareOption('maxEjectedShare', given.maxEjectedShare ?? 0.5),
  }
}

const isAborted = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.code === 'ERR_ABORTED'
