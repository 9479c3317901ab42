export { healthRoutes, type HealthRoutesOptions } from './health-routes.ts'
export { metricsRoutes, type MetricsRoutesOptions } from './metrics-routes.ts'
export { httpMetrics, type HttpMetricsOptions } from './http-metrics.ts'
