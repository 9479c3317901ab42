export { type EmbeddedPostgres, startPostgres, type StartPostgresOptions } from './start-postgres.ts'
export type { ServerExit } from './supervisor-protocol.ts'
