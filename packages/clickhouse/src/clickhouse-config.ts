import { inspect } from 'node:util'
import { z } from 'zod'
import { type SecurityConfig, securityConfig } from './access/access-config.ts'
import { backupFolder } from './backup/backup-config.ts'
import { environmentLayer, failConfiguration, type Layer, optionsLayer } from './config-layers.ts'
import { retentionDays } from './lifecycle/lifecycle-config.ts'
import { monitoringIntervalMs } from './monitoring/monitoring-config.ts'
import { balancingSchema, type ClickHouseBalancingOptions } from './servers/balancing-options.ts'
import { type ClickHouseServer, serverSchema } from './servers/server-list.ts'

/** How often a failed read is sent again. */
export interface ClickHouseRetryOptions {
  /** Attempts in all, the first one included; 1 switches retries off. @default 3 */
  maxAttempts?: number | undefined
  /** Upper bound of the first wait, in milliseconds; doubles with each further one. @default 100 */
  baseDelayMs?: number | undefined
  /** Upper bound of any wait, in milliseconds. @default 5_000 */
  maxDelayMs?: number | undefined
}

/** When a server that keeps failing is left alone. */
export interface ClickHouseBreakerOptions {
  /** Share of failures, 0 to 1, at which the breaker opens. @default 0.5 */
  failureRate?: number | undefined
  /** Calls in the window before the share counts. @default 20 */
  minimumCalls?: number | undefined
  /** How long it stays open before it lets a call through, in milliseconds. @default 5_000 */
  openMs?: number | undefined
}

/** Where ClickHouse is and how it is spoken to. What is left out comes from `CLICKHOUSE_*` variables, then from the defaults. */
export interface ClickHouseOptions {
  /** `http(s)://user:password@host:port/database`, several servers as `host:port,host:port`; the fields below win over its parts. @default `CLICKHOUSE_URL` */
  url?: string | undefined
  /** Several servers that answer the same questions, in place of one: each as `host`, `host:port`, a whole address, or by its fields. @default `CLICKHOUSE_SERVERS` or `CLICKHOUSE_HOSTS`, separated by commas */
  servers?: readonly (string | ClickHouseServer)[] | undefined
  /** Name or address of the server. @default 'localhost' */
  host?: string | undefined
  /** HTTP port, not the native one. @default 8123, or 8443 with `secure` */
  port?: number | undefined
  /** Whether to speak TLS. @default false */
  secure?: boolean | undefined
  /** Database that unqualified names mean. @default 'default' */
  database?: string | undefined
  /** User to log in as. @default 'default' */
  user?: string | undefined
  /** The user's password. @default '' */
  password?: string | undefined
  /** How long a query may take, in milliseconds, unless the call says otherwise. @default 30_000 */
  requestTimeoutMs?: number | undefined
  /** How long the connection may take, in milliseconds. @default 5_000 */
  connectTimeoutMs?: number | undefined
  /** Sockets at most. @default 16 */
  maxConnections?: number | undefined
  /** Calls that may wait for a socket; more are refused with `ERR_CLICKHOUSE_POOL_EXHAUSTED`. @default 1_000 */
  maxQueuedRequests?: number | undefined
  /** How long a call to one of several servers, or to a pool, waits for a connection, in milliseconds. @default 5_000 */
  queueTimeoutMs?: number | undefined
  /** How long an idle socket is kept, in milliseconds; less if the server says so. @default 20_000 */
  keepAliveMs?: number | undefined
  /** Size of an answer that `execute` reads into memory, in bytes; larger ones are for `stream`. @default 67_108_864 */
  maxResultBytes?: number | undefined
  /** How failed reads are sent again. @default see {@link ClickHouseRetryOptions} */
  retry?: ClickHouseRetryOptions | undefined
  /** When a failing server is left alone. @default see {@link ClickHouseBreakerOptions} */
  breaker?: ClickHouseBreakerOptions | undefined
  /** How calls are spread when there are several servers. @default see {@link ClickHouseBalancingOptions} */
  balancing?: ClickHouseBalancingOptions | undefined
}

/** How data is kept, and where its backups are. */
export interface DataManagementConfig {
  /** Age at which rows may be deleted, in days; null when nobody said. @default `CLICKHOUSE_RETENTION_DAYS` */
  readonly retentionDays: number | null
  /** Folder of the backups. @default `CLICKHOUSE_BACKUP_FOLDER`, else 'clickhouse-backups' */
  readonly backupFolder: string
}

/** Where a server is, and who asks. */
export interface ConnectionParams {
  /** Scheme, host and port. @default see {@link ClickHouseOptions} */
  readonly url: string
  /** Name or address of the server. @default see {@link ClickHouseOptions} */
  readonly host: string
  /** HTTP port. @default see {@link ClickHouseOptions} */
  readonly port: number
  /** Whether TLS is spoken; decides the scheme of `url`. @default see {@link ClickHouseOptions} */
  readonly secure: boolean
  /** Database that unqualified names mean. @default see {@link ClickHouseOptions} */
  readonly database: string
  /** User to log in as. @default see {@link ClickHouseOptions} */
  readonly user: string
  /** The user's password, in plain text: never for a log. @default see {@link ClickHouseOptions} */
  readonly password: string
  /** Share of the calls that it is to get, against other servers'. @default 1 */
  readonly weight: number
}

const NATIVE_PORTS = new Map([
  [9000, 8123],
  [9440, 8443],
])

const timeout = z.number().int().positive().max(2 ** 31 - 1)
const count = z.number().int().positive()
const schema = z.strictObject({
  servers: z.array(serverSchema).min(1).optional(),
  host: z.string().min(1).default('localhost'),
  port: z.number().int().min(1).max(65535).optional(),
  secure: z.boolean().default(false),
  database: z.string().min(1).default('default'),
  user: z.string().min(1).default('default'),
  password: z.string().default(''),
  requestTimeoutMs: timeout.default(30_000),
  connectTimeoutMs: timeout.default(5_000),
  maxConnections: count.default(16),
  maxQueuedRequests: z.number().int().min(0).default(1_000),
  queueTimeoutMs: timeout.default(5_000),
  keepAliveMs: timeout.default(20_000),
  maxResultBytes: count.default(64 * 1024 * 1024),
  retry: z
    .strictObject({ maxAttempts: count.default(3), baseDelayMs: z.number().min(0).default(100), maxDelayMs: z.number().min(0).default(5_000) })
    .prefault({}),
  breaker: z
    .strictObject({ failureRate: z.number().gt(0).max(1).default(0.5), minimumCalls: count.default(20), openMs: timeout.default(5_000) })
    .prefault({}),
  balancing: balancingSchema,
})

/** The settings that are the same for all servers, and the servers. */
type Settings = Omit<z.infer<typeof schema>, 'servers' | keyof ConnectionParams> & { readonly servers: readonly [ConnectionParams, ...ConnectionParams[]] }

/**
 * Checked settings of one ClickHouse server or of several, from options, a DSN and the environment, in this order of precedence.
 *
 * Printed, logged or turned into JSON it shows no password; only `getDsn` and `getConnectionParams` do.
 */
export class ClickHouseConfig {
  readonly #settings: Settings
  readonly #environment: Readonly<Record<string, string | undefined>>

  /**
   * @param environment read for what the options leave open
   * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` naming each option that is wrong
   */
  constructor(options: ClickHouseOptions = {}, environment: Readonly<Record<string, string | undefined>> = process.env) {
    const own = optionsLayer(options)
    const inherited = environmentLayer(environment)
    // A server that the options name is not spoken to on a port, or with TLS, that was meant for another one.
    if (own['host'] !== undefined || own['servers'] !== undefined) for (const name of ['host', 'port', 'secure', 'servers']) delete inherited[name]
    this.#settings = check({ ...inherited, ...own })
    this.#environment = environment
  }

  /** Where the server is, the first one of several, with the password. */
  getConnectionParams(): ConnectionParams {
    return this.#settings.servers[0]
  }

  /** The server, or all of them, as one usable address, passwords included. */
  getDsn(): string {
    return this.#dsn((password) => encodeURIComponent(password))
  }

  /** Servers that calls may go to. */
  getServers(): readonly ConnectionParams[] {
    return this.#settings.servers
  }

  /** A configuration for each server by itself: for what concerns every one of them, like creating tables that are not replicated. */
  eachServer(): readonly ClickHouseConfig[] {
    const { servers, ...shared } = this.#settings
    return servers.map(({ url: _url, weight: _weight, ...server }) => new ClickHouseConfig({ ...shared, ...server }, {}))
  }

  /** How failed reads are sent again. */
  getRetryConfig(): Required<{ [K in keyof ClickHouseRetryOptions]: number }> {
    return this.#settings.retry
  }

  /** When a failing server is left alone. */
  getCircuitBreakerConfig(): Required<{ [K in keyof ClickHouseBreakerOptions]: number }> {
    return this.#settings.breaker
  }

  /** How calls are spread over several servers. */
  getBalancingConfig(): Required<{ [K in keyof ClickHouseBalancingOptions]: Exclude<ClickHouseBalancingOptions[K], undefined> }> {
    return this.#settings.balancing
  }

  /**
   * How data is kept, and where its backups are: what `createLifecycleManager` and `createBackupManager` go by when they aren't told.
   * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION`
   */
  getDataManagementConfig(): DataManagementConfig {
    return { retentionDays: retentionDays(this.#environment), backupFolder: backupFolder(this.#environment) }
  }

  /** Whether the line is encrypted, and where what keeps callers apart lies: what `createAccessControl`, `createAuditLogger` and `createEncryptionManager` go by. */
  getSecurityConfig(): SecurityConfig & { readonly secure: boolean } {
    return { secure: this.#settings.servers.every(({ secure }) => secure), ...securityConfig(this.#environment) }
  }

  /**
   * How often a server is looked at, and how long a look may take: what `startMonitoring` goes by when it isn't told.
   * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION`
   */
  getMonitoringConfig(): { readonly intervalMs: number; readonly timeoutMs: number } {
    return { intervalMs: monitoringIntervalMs(this.#environment), timeoutMs: 10_000 }
  }

  /** Sizes and times of the transport. */
  getTransportConfig(): Pick<Settings, 'requestTimeoutMs' | 'connectTimeoutMs' | 'maxConnections' | 'maxQueuedRequests' | 'queueTimeoutMs' | 'keepAliveMs' | 'maxResultBytes'> {
    const { requestTimeoutMs, connectTimeoutMs, maxConnections, maxQueuedRequests, queueTimeoutMs, keepAliveMs, maxResultBytes } = this.#settings
    return { requestTimeoutMs, connectTimeoutMs, maxConnections, maxQueuedRequests, queueTimeoutMs, keepAliveMs, maxResultBytes }
  }

  /** The address with the passwords masked. */
  toString(): string {
    return this.#dsn(() => '***')
  }

  /** Every setting, with the passwords masked. */
  toJSON(): Record<string, unknown> {
    return { ...this.#settings, servers: this.#settings.servers.map((server) => ({ ...server, password: '***' })) }
  }

  [inspect.custom](): string {
    return `ClickHouseConfig ${this.toString()}`
  }

  #dsn(shown: (password: string) => string): string {
    const addresses = this.#settings.servers.map(({ secure, host, port, user, password, database }) => {
      const secret = shown(password)
      const credentials = `${encodeURIComponent(user)}${secret === '' ? '' : `:${secret}`}`
      return `${secure ? 'https' : 'http'}://${credentials}@${bracketed(host)}:${port}/${encodeURIComponent(database)}`
    })
    return addresses.join(',')
  }
}

function check(layer: Layer): Settings {
  const parsed = schema.safeParse(layer)
  if (!parsed.success) failConfiguration(parsed.error.issues.map(({ path, message }) => ({ path: path.map((part) => (typeof part === 'symbol' ? String(part) : part)), message })))
  const { host, port, secure, user, password, database, servers = [{}], ...shared } = parsed.data as z.infer<typeof schema>
  const all = servers.map((own) => connectionOf({ host, port, secure, user, password, ...definedOf(own) }, database))
  const addresses = new Set(all.map(({ url }) => url))
  if (addresses.size < all.length) failConfiguration([{ path: ['servers'], message: 'name the same address twice' }])
  return { ...shared, servers: all as [ConnectionParams, ...ConnectionParams[]] }
}

type Login = Pick<ClickHouseServer, 'port' | 'weight'> & Pick<ConnectionParams, 'host' | 'secure' | 'user' | 'password'>

function connectionOf({ weight = 1, ...server }: Login, database: string): ConnectionParams {
  const port = server.port ?? (server.secure ? 8443 : 8123)
  const httpPort = NATIVE_PORTS.get(port)
  if (httpPort !== undefined) {
    failConfiguration([{ path: ['port'], message: `${port} is ClickHouse's native port; this package speaks HTTP, whose port is usually ${httpPort}` }])
  }
  return { ...server, port, database, weight, url: `${server.secure ? 'https' : 'http'}://${bracketed(server.host)}:${port}` }
}

/** Only what is there, so that it may be laid over something else. */
function definedOf<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> }
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)
