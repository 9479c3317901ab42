export { checkStorage } from './check-storage.ts'
export { type AnalyticsApiOptions, ANSWER_TTL_SECONDS, createAnalyticsApi } from './create-analytics-api.ts'
export { keepTenantsApart } from './reader-of-request.ts'
export type { IngestSummary } from './dashboard/summary-routes.ts'
