import type { Clock, HealthProbe, Logger } from '@smart-whale/interfaces'
import type { Registry } from 'prom-client'

/** What {@link createPrometheusMetrics} is made from. */
export interface PrometheusMetricsOptions {
  /** Put before every metric's name, runtime metrics included. @default '' */
  prefix?: string
  /** Whether the process itself is measured: CPU, memory, event loop, garbage collection, open files. @default true */
  defaultMetrics?: boolean
  /** A prom-client registry to share with other code. @default a new one, never prom-client's global one */
  registry?: Registry
  /** Most combinations of label values that one metric keeps; what comes after is counted under `other`. @default 1000 */
  maxSeriesPerMetric?: number
  /** Told once per metric that folds series or is used wrongly. @default silentLogger */
  logger?: Logger
}

/** What {@link createHealth} is made from. */
export interface HealthOptions {
  /** One for each dependency; their names differ. @default none, required */
  probes: readonly HealthProbe[]
  /** After so many milliseconds a probe counts as down. @default 2000 */
  timeoutMs?: number
  /** For so many milliseconds a result is reused, so that many askers cost one probe. @default 1000 */
  cacheMs?: number
  /** Whether readiness waits for `markStarted()`. @default false */
  awaitStart?: boolean
  /** Source of the time. @default systemClock */
  clock?: Clock
  /** Told when a dependency goes down, degrades or comes back. @default silentLogger */
  logger?: Logger
}
