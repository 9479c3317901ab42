// Server
export { startClickHouse } from './start-clickhouse.ts'
export type {
  EmbeddedAccount,
  EmbeddedClickHouse,
  EmbeddedUserOptions,
  OwnerOptions,
  QueryLimits,
  ServerConfig,
  ServerConfigValue,
  ServerExit,
  StartClickHouseOptions,
} from './start-options.ts'
