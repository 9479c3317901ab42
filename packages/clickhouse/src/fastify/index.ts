export { type AnalyticsReader, analyticsRoutes, type AnalyticsRoutesOptions } from './analytics-routes.ts'
export type { AnalyticsRequestLimits } from './analytics-request.ts'
