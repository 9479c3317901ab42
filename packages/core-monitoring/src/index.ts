// Metrics
export { createPrometheusMetrics, type PrometheusMetrics, type RenderedMetrics } from './prometheus-metrics.ts'

// Health
export { createHealth, type Health, type HealthPhase, type HealthReport, type Liveness, type Readiness } from './health.ts'
export type { DependencyReport } from './run-probe.ts'

// Options
export type { HealthOptions, PrometheusMetricsOptions } from './options.ts'

// Errors
export type { MonitoringErrorCode } from './errors.ts'
