import type { Clock, Logger } from '@smart-whale/interfaces'

/** A value in the server's configuration; a record becomes nested elements, an array repeated ones. */
export type ServerConfigValue = string | number | boolean | ServerConfig | readonly (string | number | boolean | ServerConfig)[]

/** Server settings as ClickHouse's `config.xml` names them. */
export interface ServerConfig {
  /** An element by its name; what is left out is as the server has it. @default none */
  readonly [name: string]: ServerConfigValue
}

/** Who may log in, and how. */
export interface EmbeddedAccount {
  readonly username: string
  readonly password: string
}

/** What a single query of a user may cost; past a limit it fails. */
export interface QueryLimits {
  /** Time on the server, in seconds. @default 10 */
  maxExecutionSeconds?: number | undefined
  /** Memory of one query, in bytes. @default 500_000_000 */
  maxMemoryBytes?: number | undefined
  /** Rows read from tables. @default 1_000_000_000 */
  maxRowsToRead?: number | undefined
  /** Bytes read from tables, uncompressed. @default 50_000_000_000 */
  maxBytesToRead?: number | undefined
  /** Rows of the answer. @default 1_000_000 */
  maxResultRows?: number | undefined
  /** Bytes of the answer, uncompressed. @default 256_000_000 */
  maxResultBytes?: number | undefined
}

/** A table that a user may read, and which of its rows. */
export interface EmbeddedTableRight {
  /** Database of the table. @default the server's `database` */
  database?: string | undefined
  /** Name of the table, or of a view. @default none, required */
  table: string
  /** Columns that it may read; with an empty list the condition alone counts, for what everybody may read. @default all of them */
  columns?: readonly string[] | undefined
  /** SQL condition that a row has to meet to be there for this user. @default every row is */
  filter?: string | undefined
}

/** The account that may do everything. */
export interface OwnerOptions {
  /** Name to log in with. @default 'owner' */
  username?: string | undefined
  /** Password to log in with. @default a random one, new at each start */
  password?: string | undefined
}

/** An account that may only read, or only work in the databases named. */
export interface EmbeddedUserOptions {
  /** Name to log in with. @default 'reader' for `reader`; required in `users` */
  username?: string | undefined
  /** Password to log in with. @default a random one, new at each start */
  password?: string | undefined
  /** Databases that it sees whole; a trailing `*` stands for every name with that start. @default the server's `database`; none with `tables` */
  databases?: readonly string[] | undefined
  /** Tables that it may read one by one, with conditions for their rows. They need not exist yet. @default [] */
  tables?: readonly EmbeddedTableRight[] | undefined
  /** Whether it may only read; then its queries may bring no settings of their own. @default true */
  readOnly?: boolean | undefined
  /** What each of its queries may cost. @default see {@link QueryLimits} */
  limits?: QueryLimits | undefined
  /** Further settings of its profile, over the ones that every account has. @default {} */
  settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Settings that its requests may bring although it only reads, each within bounds. @default {} */
  changeable?: Readonly<Record<string, SettingBounds>> | undefined
}

/** Between which values a setting may be. */
export interface SettingBounds {
  /** Least value. @default none, required */
  readonly min: number
  /** Greatest value. @default none, required */
  readonly max: number
}

/** What {@link startClickHouse} needs to know. */
export interface StartClickHouseOptions {
  /** Folder that belongs to this server alone; made when missing. A second live server on it is refused. */
  dataDir: string
  /** TCP port of the HTTP interface on 127.0.0.1; 0 takes a free one. @default 0 */
  port?: number | undefined
  /** Database that is made when missing, and that `reader` may read. @default 'default' */
  database?: string | undefined
  /** The account that may do everything. @default user 'owner' with a random password */
  owner?: OwnerOptions | undefined
  /** The read-only account for queries from outside. @default user 'reader' with a random password, reads `database` */
  reader?: EmbeddedUserOptions | undefined
  /** Further accounts. @default [] */
  users?: readonly (EmbeddedUserOptions & { username: string })[] | undefined
  /** Server settings over the defaults, as in ClickHouse's `config.xml`. @default {} */
  config?: ServerConfig | undefined
  /** Where progress and the server's own complaints go. @default silent */
  logger?: Logger | undefined
  /** Gives up the start; a server that is ready is not touched. @default never aborted */
  signal?: AbortSignal | undefined
  /** How long the start may take, waiting for the folder included, in milliseconds. @default 30_000 */
  startTimeoutMs?: number | undefined
  /** How long to wait for another server to leave the folder, in milliseconds. @default 10_000 */
  busyTimeoutMs?: number | undefined
  /** Time source. @default the system clock */
  clock?: Clock | undefined
}

/** How the server's process ended. */
export interface ServerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The last lines that it wrote to standard error. */
  readonly lastWords: string
}

/** A running server. */
export interface EmbeddedClickHouse extends AsyncDisposable {
  /** Base address of the HTTP interface, without credentials. */
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly database: string
  readonly owner: EmbeddedAccount
  readonly reader: EmbeddedAccount
  /** Accounts of `users`, by name. */
  readonly users: Readonly<Record<string, EmbeddedAccount>>
  /** Folder that `BACKUP … TO File('…')` may write to. */
  readonly backupPath: string
  /** Resolves when the process has ended, for whatever reason; never rejects. */
  readonly exited: Promise<ServerExit>
  /** Ends the server and what runs on it; nothing acknowledged is lost. May be called twice. */
  stop(): Promise<void>
}
