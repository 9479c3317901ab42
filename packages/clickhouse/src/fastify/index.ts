export { type AnalyticsReader, analyticsRoutes, type AnalyticsRoutesOptions } from './analytics-routes.ts'
export type { AnalyticsRequestLimits } from './analytics-request.ts'
export { type AnyMetricsLayer, type MetricReader, metricRoutes, type MetricRoutesOptions } from './metric-routes.ts'
export { type AnyLiveMetrics, metricLiveRoutes, type MetricLiveRoutesOptions } from './metric-live-routes.ts'
