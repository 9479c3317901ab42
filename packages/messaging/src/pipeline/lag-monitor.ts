import { outsideOfCalls } from '@smart-whale/core-resilience'
import { type Clock, type HealthProbe, type Lifecycle, type Logger, type MetricsSink, silentLogger, silentMetrics, systemClock } from '@smart-whale/interfaces'
import type { MessagingTransport, PartitionLag } from '../transport.ts'
import type { Pipeline } from './pipeline.ts'
import { StallWatch, type StalledPartition } from './stall-watch.ts'

/** What {@link createLagMonitor} watches. */
export interface LagMonitorOptions {
  /** The pipelines of this process. @default none, required */
  pipelines: readonly Pick<Pipeline, 'definition' | 'groupId' | 'status'>[]
  /** Knows how far their groups are. @default none, required */
  transport: Pick<MessagingTransport, 'groupLag'>
  /** How long a partition may stand still while more keeps coming, in milliseconds. @default 60000 */
  stallMs?: number | undefined
  /** How often it looks, in milliseconds. @default 5000, or a quarter of stallMs if that is less */
  intervalMs?: number | undefined
  /** Where the lag is measured. @default silent */
  metrics?: MetricsSink | undefined
  /** Where stalls and failures to look are told. @default silent */
  logger?: Logger | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Measures the lag of pipelines from `start` to `stop`, and fails health when one is stuck. */
export interface LagMonitor extends Lifecycle {
  /** One for each pipeline: down while a partition of it that this process has stands still and its lag grows. */
  readonly probes: readonly HealthProbe[]
  /** Records behind, as seen last, by pipeline name; a pipeline that wasn't looked at yet is absent. */
  readonly lags: ReadonlyMap<string, number>
}

/** Makes the monitor of a process's pipelines. */
export function createLagMonitor(options: LagMonitorOptions): LagMonitor {
  return new TimedLagMonitor(options)
}

const LOOK_TIMEOUT_MS = 5000

class TimedLagMonitor implements LagMonitor {
  readonly lags = new Map<string, number>()
  readonly probes: readonly HealthProbe[]
  readonly #options: LagMonitorOptions
  readonly #watches: ReadonlyMap<string, StallWatch>
  /** Partitions that stand still before something that they could store, by pipeline name, as seen last. */
  readonly #stalled = new Map<string, readonly StalledPartition[]>()
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #intervalMs: number
  #timer: unknown = null
  #isRunning = false

  constructor(options: LagMonitorOptions) {
    const { pipelines, stallMs = 60_000, clock = systemClock, logger = silentLogger } = options
    this.#options = options
    this.#clock = clock
    this.#logger = logger
    this.#intervalMs = options.intervalMs ?? Math.min(5000, Math.ceil(stallMs / 4))
    this.#watches = new Map(pipelines.map(({ definition }) => [definition.name, new StallWatch(stallMs)]))
    this.probes = pipelines.map(({ definition }) => this.#probe(definition.name))
  }

  async start(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    outsideOfCalls(() => this.#later())
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    this.#clock.clearTimeout(this.#timer)
  }

  #later(): void {
    this.#timer = this.#clock.setTimeout(() => void this.#round(), this.#intervalMs)
  }

  async #round(): Promise<void> {
    await Promise.all(this.#options.pipelines.map((pipeline) => this.#look(pipeline)))
    if (this.#isRunning) this.#later()
  }

  async #look(pipeline: LagMonitorOptions['pipelines'][number]): Promise<void> {
    const { transport, metrics = silentMetrics } = this.#options
    const { name, topic } = pipeline.definition
    let found: readonly PartitionLag[]
    try {
      found = await transport.groupLag(pipeline.groupId, topic, { timeoutMs: LOOK_TIMEOUT_MS })
    } catch (error) {
      if (this.#isRunning) this.#logger.warn({ err: error, pipeline: name }, 'the lag could not be looked up')
      return
    }
    const total = Number(found.reduce((sum, { lag }) => sum + lag, 0n))
    this.lags.set(name, total)
    metrics.gauge({ name: 'smart_whale_pipeline_lag_records', help: 'Records in the topic that are not yet in every store', labelNames: ['pipeline'] }).set({ pipeline: name }, total)
    const mine = new Set(pipeline.status().partitions.map(({ partition }) => partition))
    this.#watch(name, found.filter(({ partition }) => mine.has(partition)))
  }

  #watch(name: string, partitions: readonly PartitionLag[]): void {
    const watch = this.#watches.get(name)
    if (watch === undefined) return
    const now = this.#clock.monotonic()
    watch.look(partitions, now)
    const stalled = watch.stalled(now)
    if (stalled.length > 0 && this.#stalledOf(name).length === 0) this.#logger.error({ pipeline: name, stalled: stalled.map(asText) }, 'the pipeline stands still while its lag grows')
    this.#stalled.set(name, stalled)
  }

  #stalledOf(name: string): readonly StalledPartition[] {
    return this.#stalled.get(name) ?? []
  }

  #probe(name: string): HealthProbe {
    return {
      name: `progress of ${name}`,
      critical: true,
      check: async () => {
        const stalled = this.#stalledOf(name)
        return stalled.length === 0 ? { status: 'up' } : { status: 'down', detail: `stands still while the lag grows: ${stalled.map(asText).join('; ')}` }
      },
    }
  }
}

function asText({ partition, offset, lag, standsForMs }: StalledPartition): string {
  return `partition ${partition} is at offset ${offset} for ${Math.round(standsForMs / 1000)} s, ${lag} records behind`
}
