export { ingestRoutes, type IngestRoutesOptions } from './ingest-routes.ts'
