// Server
export { startClickHouse } from './start-clickhouse.ts'
export type {
  EmbeddedAccount,
  EmbeddedClickHouse,
  EmbeddedTableRight,
  EmbeddedUserOptions,
  OwnerOptions,
  QueryLimits,
  ServerConfig,
  ServerConfigValue,
  ServerExit,
  SettingBounds,
  StartClickHouseOptions,
} from './start-options.ts'
