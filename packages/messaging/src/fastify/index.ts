export { ingestRoutes, type IngestRoutesOptions } from './ingest-routes.ts'
export { deadLetterRoutes, type DeadLetterRoutesOptions } from './dead-letter-routes.ts'
