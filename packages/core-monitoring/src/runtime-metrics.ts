import { readdirSync } from 'node:fs'
import { constants, createHistogram, type EventLoopUtilization, performance, PerformanceObserver } from 'node:perf_hooks'
import type { PrometheusMetrics } from './prometheus-metrics.ts'

/** How often the event loop's delay is sampled: by how much a timer comes late. */
const SAMPLE_MS = 20

const GC_KINDS = new Map<number, string>([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
])

/**
 * Measures this process under the names that dashboards for Node expect, until it is stopped.
 * prom-client's own collection is not used, because what it starts (a timer, an observer) can't be stopped.
 */
export function startRuntimeMetrics(metrics: PrometheusMetrics): () => void {
  const stops = [measureProcess(metrics), measureMemory(metrics), measureEventLoop(metrics), measureGarbageCollection(metrics)]
  return () => {
    for (const stop of stops.splice(0)) stop()
  }
}

function measureProcess(metrics: PrometheusMetrics): () => void {
  const user = metrics.counter({ name: 'process_cpu_user_seconds_total', help: 'CPU time spent in user code' })
  const system = metrics.counter({ name: 'process_cpu_system_seconds_total', help: 'CPU time spent in the system' })
  const openFiles = metrics.gauge({ name: 'process_open_fds', help: 'Open file descriptors (Linux only)' })
  const resources = metrics.gauge({ name: 'nodejs_active_resources', help: 'What keeps the event loop alive, by type', labelNames: ['type'] })
  const start = metrics.gauge({ name: 'process_start_time_seconds', help: 'Start of the process, since the epoch' })
  const version = metrics.gauge({ name: 'nodejs_version_info', help: 'Version of Node', labelNames: ['version'] })
  start.set({}, performance.timeOrigin / 1000)
  version.set({ version: process.version }, 1)

  let last: NodeJS.CpuUsage = { user: 0, system: 0 }
  let seenTypes: readonly string[] = []
  return metrics.beforeRender(() => {
    const now = process.cpuUsage()
    user.inc({}, Math.max(0, now.user - last.user) / 1e6)
    system.inc({}, Math.max(0, now.system - last.system) / 1e6)
    last = now

    const counts = Map.groupBy(process.getActiveResourcesInfo(), (type) => type)
    for (const type of new Set([...seenTypes, ...counts.keys()])) resources.set({ type }, counts.get(type)?.length ?? 0)
    seenTypes = [...counts.keys()]

    if (process.platform === 'linux') openFiles.set({}, readdirSync('/proc/self/fd').length)
  })
}

function measureMemory(metrics: PrometheusMetrics): () => void {
  const resident = metrics.gauge({ name: 'process_resident_memory_bytes', help: 'Memory that the process holds' })
  const heapTotal = metrics.gauge({ name: 'nodejs_heap_size_total_bytes', help: 'Size of the JavaScript heap' })
  const heapUsed = metrics.gauge({ name: 'nodejs_heap_size_used_bytes', help: 'Used part of the JavaScript heap' })
  const external = metrics.gauge({ name: 'nodejs_external_memory_bytes', help: 'Memory of objects outside of the heap, buffers included' })
  return metrics.beforeRender(() => {
    const usage = process.memoryUsage()
    resident.set({}, usage.rss)
    heapTotal.set({}, usage.heapTotal)
    heapUsed.set({}, usage.heapUsed)
    external.set({}, usage.external)
  })
}

function measureEventLoop(metrics: PrometheusMetrics): () => void {
  const lag = (statistic: string) =>
    metrics.gauge({ name: `nodejs_eventloop_lag_${statistic}_seconds`, help: `Delay of the event loop since the last scrape: ${statistic}` })
  const [mean, p50, p99, max] = [lag('mean'), lag('p50'), lag('p99'), lag('max')]
  const utilization = metrics.gauge({ name: 'nodejs_eventloop_utilization_ratio', help: 'Share of the time since the last scrape that the event loop was busy' })

  const delays = createHistogram()
  let due = performance.now() + SAMPLE_MS
  const sample = (): void => {
    const now = performance.now()
    delays.record(Math.max(1, Math.round((now - due) * 1e6)))
    due = now + SAMPLE_MS
  }
  // Node's own monitorEventLoopDelay is not used: its reset drops the sample in progress, often the very delay that held the scrape up.
  const timer = setInterval(sample, SAMPLE_MS).unref()
  let last: EventLoopUtilization = performance.eventLoopUtilization()
  const stopMeasuring = metrics.beforeRender(() => {
    if (performance.now() > due) sample()
    const seconds = (nanoseconds: number): number => (delays.count === 0 ? 0 : nanoseconds / 1e9)
    mean.set({}, seconds(delays.mean))
    p50.set({}, seconds(delays.percentile(50)))
    p99.set({}, seconds(delays.percentile(99)))
    max.set({}, seconds(delays.max))
    delays.reset()
    const now = performance.eventLoopUtilization()
    utilization.set({}, performance.eventLoopUtilization(now, last).utilization)
    last = now
  })
  return () => {
    stopMeasuring()
    clearInterval(timer)
  }
}

function measureGarbageCollection(metrics: PrometheusMetrics): () => void {
  const pauses = metrics.histogram({
    name: 'nodejs_gc_duration_seconds',
    help: 'Garbage collection pauses, by kind',
    labelNames: ['kind'],
    buckets: [0.001, 0.01, 0.1, 1, 2, 5],
  })
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail?: { kind?: number } }).detail ?? {}
      pauses.observe({ kind: GC_KINDS.get(kind ?? -1) ?? 'unknown' }, entry.duration / 1000)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => observer.disconnect()
}
