import { type CallOptions, type Clock, type Logger, type MetricsSink, silentLogger, silentMetrics, systemClock, type TimerHandle, ValidationError } from '@smart-whale/interfaces'
import { outsideOfCalls } from '@smart-whale/core-resilience'
import { createAdapter } from '../create-adapter.ts'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { PrometheusExporter } from './prometheus-exporter.ts'
import { monitoringIntervalMs } from './monitoring-config.ts'
import { readSystemState, type SystemState } from './system-state.ts'

/** What a {@link PerformanceMonitor} is made from. */
export interface PerformanceMonitorOptions {
  /** Where the numbers go. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Hears of a server that can't be looked at. @default silentLogger */
  logger?: Logger | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** How long one look may take, in milliseconds. @default 10_000 */
  timeoutMs?: number | undefined
  /** Hears of each look. @default nobody */
  onMetrics?: ((state: SystemState) => void) | undefined
}

/** Looks at a server, once or again and again. */
export interface PerformanceMonitor extends AsyncDisposable {
  /** Looks once. @throws ConnectionError when the server can't be asked */
  collectMetrics(options?: CallOptions): Promise<SystemState>
  /** Looks now, and again each so many milliseconds after the look before has ended: looks never overlap. Asked again, only the interval changes. */
  startMonitoring(intervalMs?: number): void
  /** Ends looking, and the look under way. May be called twice. */
  stop(): Promise<void>
}

const TIMEOUT_MS = 10_000
const INTERVAL_MS = 15_000

/** Makes a {@link PerformanceMonitor} over an adapter; without one, over an adapter of its own, by the `CLICKHOUSE_*` variables. */
export function createPerformanceMonitor(adapter?: ClickHouseAdapter, options: PerformanceMonitorOptions = {}): PerformanceMonitor {
  if (adapter !== undefined) return new PacedMonitor(adapter, options, async () => {})
  const own = createAdapter({}, { logger: options.logger, clock: options.clock })
  return new PacedMonitor(own, options, () => own.close())
}

/** Makes a monitor and has it look from now on; `stop` ends it. */
export function startMonitoring(adapter?: ClickHouseAdapter, options: PerformanceMonitorOptions & {
  /** Pause between two looks, in milliseconds. @default `CLICKHOUSE_MONITORING_INTERVAL_MS`, else 15_000 */
  intervalMs?: number | undefined
} = {}): PerformanceMonitor {
  const intervalMs = options.intervalMs ?? monitoringIntervalMs()
  const monitor = createPerformanceMonitor(adapter, options)
  monitor.startMonitoring(intervalMs)
  return monitor
}

class PacedMonitor implements PerformanceMonitor {
  readonly #adapter: ClickHouseAdapter
  readonly #options: PerformanceMonitorOptions
  readonly #exporter: PrometheusExporter
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #closeAdapter: () => Promise<void>
  readonly #ending = new AbortController()
  #intervalMs: number | undefined
  #timer: TimerHandle
  #looking: Promise<void> = Promise.resolve()

  constructor(adapter: ClickHouseAdapter, options: PerformanceMonitorOptions, closeAdapter: () => Promise<void>) {
    this.#adapter = adapter
    this.#options = options
    this.#exporter = new PrometheusExporter(options.metrics ?? silentMetrics)
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger ?? silentLogger
    this.#closeAdapter = closeAdapter
  }

  async collectMetrics({ signal, timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS }: CallOptions = {}): Promise<SystemState> {
    const begunAt = this.#clock.monotonic()
    const signals = signal === undefined ? this.#ending.signal : AbortSignal.any([signal, this.#ending.signal])
    const state = await readSystemState(this.#adapter, { signal: signals, timeoutMs })
    this.#exporter.updateMetrics(state, this.#clock.monotonic() - begunAt)
    return state
  }

  startMonitoring(intervalMs = INTERVAL_MS): void {
    if (!Number.isFinite(intervalMs) || intervalMs < 100) {
      const message = `must be a number of milliseconds, 100 at least; it is ${String(intervalMs)}`
      throw new ValidationError<ClickHouseErrorCode>(`monitoring: intervalMs ${message}`, { code: 'ERR_CLICKHOUSE_CONFIGURATION', issues: [{ path: ['intervalMs'], message }] })
    }
    const isRunning = this.#intervalMs !== undefined
    this.#intervalMs = intervalMs
    if (!isRunning && !this.#ending.signal.aborted) this.#looking = outsideOfCalls(() => this.#look())
  }

  async stop(): Promise<void> {
    if (this.#ending.signal.aborted) return this.#looking
    this.#ending.abort()
    this.#clock.clearTimeout(this.#timer)
    await this.#looking
    await this.#closeAdapter()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #look(): Promise<void> {
    try {
      const state = await this.collectMetrics()
      this.#options.onMetrics?.(state)
    } catch (error) {
      if (this.#ending.signal.aborted) return
      this.#exporter.markDown()
      this.#logger.warn({ err: error }, 'ClickHouse could not be looked at; it is tried again')
    }
    if (!this.#ending.signal.aborted) this.#timer = this.#clock.setTimeout(() => void (this.#looking = this.#look()), this.#intervalMs ?? INTERVAL_MS)
  }
}
