import { type Clock, type MetricsSink, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { durationOption, shareOption } from '../check-options.ts'
import { disposedError, optionError } from '../errors.ts'
import { TimerEntry, wheelOf } from '../executor/timer-wheel.ts'
import { notify } from '../notify.ts'

/** How much of the service is given: everything, what matters, what can't be left out. */
export type ServiceLevel = 'full' | 'reduced' | 'minimal'

const LEVELS: readonly ServiceLevel[] = ['full', 'reduced', 'minimal']

/** When a level is entered and left. */
export interface LevelThreshold {
  /** Pressure from which the level is entered. */
  readonly enterAt: number
  /** Pressure below which it is left again; lower than `enterAt`, so that it doesn't flutter. */
  readonly leaveBelow: number
}

/** The service went from one level to another. */
export interface LevelChange {
  readonly from: ServiceLevel
  readonly to: ServiceLevel
  /** The source of the highest pressure; undefined when somebody decided by hand. */
  readonly source: string | undefined
  readonly pressure: number
}

/** When service is reduced; see {@link Degradation}. */
export interface DegradationOptions {
  /** Name in metrics. @default 'default' */
  name?: string | undefined
  /** When `reduced` is entered and left. @default { enterAt: 0.7, leaveBelow: 0.5 } */
  reduced?: LevelThreshold | undefined
  /** When `minimal` is entered and left. @default { enterAt: 0.9, leaveBelow: 0.7 } */
  minimal?: LevelThreshold | undefined
  /** How long the pressure must stay that high before a lower level is entered. @default 1_000 */
  enterAfterMs?: number | undefined
  /** How long it must stay that low before the next higher level is given again. @default 10_000 */
  leaveAfterMs?: number | undefined
  /** After this time without a word a source counts for nothing. @default 60_000 */
  forgetAfterMs?: number | undefined
  /** Told of every change. What it throws is ignored. @default nobody */
  onLevelChange?: ((change: LevelChange) => void) | undefined
  /** Where the level is shown. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Most sources that are kept: they are named by code, not by data. */
const MOST_SOURCES = 1_000

/**
 * Says how much of the service is given. Sources report pressure from 0 to 1 (the share of failures, a queue's fill, memory); the highest
 * decides. A lower level is entered when the pressure stays high, and left one step at a time when it stays low for longer.
 * Features ask whether they are on, or are told. One timer while a change is pending, none otherwise.
 */
export class Degradation {
  readonly #thresholds: Readonly<Record<'reduced' | 'minimal', LevelThreshold>>
  readonly #enterAfterMs: number
  readonly #leaveAfterMs: number
  readonly #forgetAfterMs: number
  readonly #clock: Clock
  readonly #sources = new Map<string, { pressure: number; atMs: number }>()
  readonly #features = new Set<{ needs: ServiceLevel; listener: (isOn: boolean, change: LevelChange) => void }>()
  readonly #changed: (change: LevelChange) => void
  readonly #pending: PendingChange
  #level: ServiceLevel = 'full'
  #byHand: ServiceLevel | undefined = undefined
  #isDisposed = false

  constructor(options: DegradationOptions = {}) {
    const { name = 'default', metrics = silentMetrics } = options
    this.#thresholds = {
      reduced: thresholdOption('reduced', options.reduced ?? { enterAt: 0.7, leaveBelow: 0.5 }),
      minimal: thresholdOption('minimal', options.minimal ?? { enterAt: 0.9, leaveBelow: 0.7 }),
    }
    if (this.#thresholds.minimal.enterAt <= this.#thresholds.reduced.enterAt) throw optionError('minimal', options.minimal, 'entered at a higher pressure than reduced')
    this.#enterAfterMs = durationOption('enterAfterMs', options.enterAfterMs ?? 1_000)
    this.#leaveAfterMs = durationOption('leaveAfterMs', options.leaveAfterMs ?? 10_000)
    this.#forgetAfterMs = durationOption('forgetAfterMs', options.forgetAfterMs ?? 60_000, 1)
    this.#clock = options.clock ?? systemClock
    this.#pending = new PendingChange(() => this.#look())
    const gauge = metrics.gauge({ name: 'smart_whale_service_level', help: '0 full, 1 reduced, 2 minimal', labelNames: ['service'] })
    gauge.set({ service: name }, 0)
    this.#changed = (change) => {
      gauge.set({ service: name }, LEVELS.indexOf(change.to))
      notify(options.onLevelChange, change)
    }
  }

  get level(): ServiceLevel {
    return this.#level
  }

  /** The highest pressure that a source reports. */
  get pressure(): number {
    return this.#highest().pressure
  }

  /** Says how hard pressed a source is, from 0 to 1. */
  report(source: string, pressure: number): void {
    if (this.#isDisposed) throw disposedError('the degradation')
    const clamped = Number.isNaN(pressure) ? 1 : Math.min(1, Math.max(0, pressure))
    if (!this.#sources.has(source) && this.#sources.size >= MOST_SOURCES) return
    this.#sources.set(source, { pressure: clamped, atMs: this.#clock.monotonic() })
    this.#look()
  }

  /** Whether a feature that needs a level is on: one that needs `reduced` is on at `full` and `reduced`. */
  isOn(needs: ServiceLevel): boolean {
    return LEVELS.indexOf(this.#level) <= LEVELS.indexOf(needs)
  }

  /** Tells a feature when it goes off and on; the answer takes it off the list. What the listener throws is ignored. */
  subscribe(needs: ServiceLevel, listener: (isOn: boolean, change: LevelChange) => void): () => void {
    const feature = { needs, listener }
    this.#features.add(feature)
    return () => void this.#features.delete(feature)
  }

  /** Holds a level whatever the sources say; `undefined` leaves it to them again. */
  hold(level: ServiceLevel | undefined): void {
    this.#byHand = level
    if (level !== undefined) this.#enter(level, undefined, this.pressure)
    this.#look()
  }

  /** Ends the pending change and forgets who listens. */
  dispose(): void {
    this.#isDisposed = true
    wheelOf(this.#clock).remove(this.#pending)
    this.#features.clear()
    this.#sources.clear()
  }

  /** Enters what is due, or waits until it is. */
  #look(): void {
    const { pressure, source, staleAtMs } = this.#highest()
    const wanted = this.#byHand ?? this.#wantedAt(pressure)
    const nowMs = this.#clock.monotonic()
    if (wanted === this.#level || this.#byHand !== undefined) {
      this.#pending.wanted = undefined
      return this.#wakeAt(this.#level === 'full' ? Infinity : staleAtMs, nowMs)
    }
    if (this.#pending.wanted !== wanted) {
      // Ever worse, or ever better, is one movement: its time runs from its beginning.
      const goesOn = this.#pending.wanted !== undefined && this.#isBelow(wanted) === this.#isBelow(this.#pending.wanted)
      if (!goesOn) this.#pending.sinceMs = nowMs
      this.#pending.wanted = wanted
    }
    const dueAtMs = this.#pending.sinceMs + (this.#isBelow(wanted) ? this.#enterAfterMs : this.#leaveAfterMs)
    if (nowMs < dueAtMs) return this.#wakeAt(Math.min(dueAtMs, staleAtMs), nowMs)
    this.#pending.wanted = undefined
    this.#enter(wanted, source, pressure)
    if (!this.#isDisposed) this.#look()
  }

  #isBelow(level: ServiceLevel): boolean {
    return LEVELS.indexOf(level) > LEVELS.indexOf(this.#level)
  }

  #wantedAt(pressure: number): ServiceLevel {
    const { reduced, minimal } = this.#thresholds
    if (pressure >= minimal.enterAt) return 'minimal'
    if (this.#level === 'minimal') return pressure < minimal.leaveBelow ? 'reduced' : 'minimal'
    if (pressure >= reduced.enterAt) return 'reduced'
    return this.#level === 'reduced' && pressure >= reduced.leaveBelow ? 'reduced' : 'full'
  }

  #highest(): { pressure: number; source: string | undefined; staleAtMs: number } {
    const nowMs = this.#clock.monotonic()
    let highest: { pressure: number; source: string | undefined; staleAtMs: number } = { pressure: 0, source: undefined, staleAtMs: Infinity }
    for (const [source, { pressure, atMs }] of this.#sources) {
      const staleAtMs = atMs + this.#forgetAfterMs
      if (staleAtMs <= nowMs) this.#sources.delete(source)
      else if (pressure > highest.pressure) highest = { pressure, source, staleAtMs }
    }
    return highest
  }

  #enter(to: ServiceLevel, source: string | undefined, pressure: number): void {
    const from = this.#level
    if (from === to) return
    const wereOn = new Set([...this.#features].filter(({ needs }) => this.isOn(needs)))
    this.#level = to
    const change: LevelChange = { from, to, source, pressure }
    this.#changed(change)
    for (const feature of [...this.#features]) {
      const isOn = this.isOn(feature.needs)
      if (isOn !== wereOn.has(feature)) notify((told: LevelChange) => feature.listener(isOn, told), change)
    }
  }

  #wakeAt(atMs: number, nowMs: number): void {
    const wheel = wheelOf(this.#clock)
    wheel.remove(this.#pending)
    if (atMs !== Infinity && !this.#isDisposed) wheel.add(this.#pending, atMs, nowMs)
  }
}

class PendingChange extends TimerEntry {
  wanted: ServiceLevel | undefined = undefined
  sinceMs = 0
  readonly #look: () => void

  constructor(look: () => void) {
    super()
    this.#look = look
  }

  expire(): void {
    this.#look()
  }
}

function thresholdOption(option: string, { enterAt, leaveBelow }: LevelThreshold): LevelThreshold {
  shareOption(`${option}.enterAt`, enterAt)
  shareOption(`${option}.leaveBelow`, leaveBelow)
  if (leaveBelow >= enterAt) throw optionError(`${option}.leaveBelow`, leaveBelow, `below ${option}.enterAt (${enterAt})`)
  return { enterAt, leaveBelow }
}
