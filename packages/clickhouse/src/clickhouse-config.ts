import { inspect } from 'node:util'
import { ConfigurationError, type ValidationIssue } from '@smart-whale/interfaces'
import { z } from 'zod'
import type { ClickHouseErrorCode } from './errors.ts'

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
  /** `http(s)://user:password@host:port/database`; the fields below win over its parts. @default `CLICKHOUSE_URL` */
  url?: string | undefined
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
  /** How long an idle socket is kept, in milliseconds; less if the server says so. @default 20_000 */
  keepAliveMs?: number | undefined
  /** Size of an answer that `execute` reads into memory, in bytes; larger ones are for `stream`. @default 67_108_864 */
  maxResultBytes?: number | undefined
  /** How failed reads are sent again. @default see {@link ClickHouseRetryOptions} */
  retry?: ClickHouseRetryOptions | undefined
  /** When a failing server is left alone. @default see {@link ClickHouseBreakerOptions} */
  breaker?: ClickHouseBreakerOptions | undefined
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
}

const NATIVE_PORTS = new Map([
  [9000, 8123],
  [9440, 8443],
])

const timeout = z.number().int().positive().max(2 ** 31 - 1)
const count = z.number().int().positive()
const schema = z.strictObject({
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
  keepAliveMs: timeout.default(20_000),
  maxResultBytes: count.default(64 * 1024 * 1024),
  retry: z
    .strictObject({ maxAttempts: count.default(3), baseDelayMs: z.number().min(0).default(100), maxDelayMs: z.number().min(0).default(5_000) })
    .prefault({}),
  breaker: z
    .strictObject({ failureRate: z.number().gt(0).max(1).default(0.5), minimumCalls: count.default(20), openMs: timeout.default(5_000) })
    .prefault({}),
})

type Settings = Omit<z.infer<typeof schema>, 'port'> & { port: number }

/**
 * Checked settings of one ClickHouse server, from options, a DSN and the environment, in this order of precedence.
 *
 * Printed, logged or turned into JSON it shows no password; only `getDsn` and `getConnectionParams` do.
 */
export class ClickHouseConfig {
  readonly #settings: Settings

  /**
   * @param environment read for what the options leave open
   * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` naming each option that is wrong
   */
  constructor(options: ClickHouseOptions = {}, environment: Readonly<Record<string, string | undefined>> = process.env) {
    const own = layerOf(options)
    const inherited = environmentLayer(environment)
    // A server that the options name is not spoken to on a port, or with TLS, that was meant for another one.
    if (own['host'] !== undefined) for (const name of ['port', 'secure']) delete inherited[name]
    this.#settings = check({ ...inherited, ...own })
  }

  /** Where the server is, with the password. */
  getConnectionParams(): ConnectionParams {
    const { host, port, secure, database, user, password } = this.#settings
    return { url: `${secure ? 'https' : 'http'}://${bracketed(host)}:${port}`, host, port, secure, database, user, password }
  }

  /** The server as one usable address, password included. */
  getDsn(): string {
    return this.#dsn(encodeURIComponent(this.#settings.password))
  }

  /** Servers that calls may go to. */
  getServers(): readonly ConnectionParams[] {
    return [this.getConnectionParams()]
  }

  /** How failed reads are sent again. */
  getRetryConfig(): Required<{ [K in keyof ClickHouseRetryOptions]: number }> {
    return this.#settings.retry
  }

  /** When a failing server is left alone. */
  getCircuitBreakerConfig(): Required<{ [K in keyof ClickHouseBreakerOptions]: number }> {
    return this.#settings.breaker
  }

  /** Sizes and times of the transport. */
  getTransportConfig(): Pick<Settings, 'requestTimeoutMs' | 'connectTimeoutMs' | 'maxConnections' | 'maxQueuedRequests' | 'keepAliveMs' | 'maxResultBytes'> {
    const { requestTimeoutMs, connectTimeoutMs, maxConnections, maxQueuedRequests, keepAliveMs, maxResultBytes } = this.#settings
    return { requestTimeoutMs, connectTimeoutMs, maxConnections, maxQueuedRequests, keepAliveMs, maxResultBytes }
  }

  /** The address with the password masked. */
  toString(): string {
    return this.#dsn('***')
  }

  /** Every setting, with the password masked. */
  toJSON(): Record<string, unknown> {
    return { ...this.#settings, password: '***' }
  }

  [inspect.custom](): string {
    return `ClickHouseConfig ${this.toString()}`
  }

  #dsn(password: string): string {
    const { host, port, secure, database, user } = this.#settings
    const credentials = `${encodeURIComponent(user)}${password === '' ? '' : `:${password}`}`
    return `${secure ? 'https' : 'http'}://${credentials}@${bracketed(host)}:${port}/${encodeURIComponent(database)}`
  }
}

type Layer = Record<string, unknown>

/** Options with the parts of their DSN spelled out; what is undefined is left out. */
function layerOf({ url, ...fields }: ClickHouseOptions): Layer {
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  return { ...(url === undefined ? {} : parseDsn(url, 'url')), ...given }
}

function environmentLayer(environment: Readonly<Record<string, string | undefined>>): Layer {
  const text = (name: string): string | undefined => environment[`CLICKHOUSE_${name}`] || undefined
  const number = (name: string): number | undefined => (text(name) === undefined ? undefined : Number(text(name)))
  const url = text('URL')
  return {
    ...(url === undefined ? {} : parseDsn(url, 'CLICKHOUSE_URL')),
    ...layerOf({
      host: text('HOST'),
      port: number('PORT'),
      secure: text('SECURE') === undefined ? undefined : /^(?:1|true|yes|on)$/i.test(text('SECURE') ?? ''),
      database: text('DATABASE'),
      user: text('USER'),
      password: text('PASSWORD'),
      requestTimeoutMs: number('REQUEST_TIMEOUT_MS'),
      maxConnections: number('MAX_CONNECTIONS'),
    }),
  }
}

function parseDsn(dsn: string, name: string): Layer {
  const complain = (message: string): never => fail([{ path: [name], message }])
  if (!URL.canParse(dsn)) return complain('must be an address like http://user:password@host:8123/database')
  const { protocol, hostname, port, username, password, pathname, search } = new URL(dsn)
  if (!['http:', 'https:', 'clickhouse:', 'clickhouses:'].includes(protocol)) return complain(`must start with http:// or https://, starts with ${protocol}//`)
  if (search !== '') return complain('must not carry settings behind "?"; give them as options')
  if (hostname === '') return complain('names no host')
  const secure = protocol === 'https:' || protocol === 'clickhouses:'
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    secure,
    // The URL class drops a scheme's own port.
    port: port !== '' ? Number(port) : /^https?:\/\/[^/]*:(?:80|443)(?:\/|$)/.test(dsn) ? (secure ? 443 : 80) : undefined,
    ...(username === '' ? {} : { user: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 ? { database: decodeURIComponent(pathname.slice(1)) } : {}),
  }
}

function check(layer: Layer): Settings {
  const parsed = schema.safeParse(layer)
  if (!parsed.success) fail(parsed.error.issues.map(({ path, message }) => ({ path: path.map((part) => (typeof part === 'symbol' ? String(part) : part)), message })))
  const settings = parsed.data as z.infer<typeof schema>
  const port = settings.port ?? (settings.secure ? 8443 : 8123)
  const httpPort = NATIVE_PORTS.get(port)
  if (httpPort !== undefined) {
    fail([{ path: ['port'], message: `${port} is ClickHouse's native port; this package speaks HTTP, whose port is usually ${httpPort}` }])
  }
  return { ...settings, port }
}

function fail(issues: readonly ValidationIssue[]): never {
  const list = issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')
  throw new ConfigurationError<ClickHouseErrorCode>(`ClickHouse configuration: ${list}`, { code: 'ERR_CLICKHOUSE_CONFIGURATION', context: { issues } })
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)
