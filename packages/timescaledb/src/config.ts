import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { z } from 'zod'
import { parseConnectionString } from './connection-string.ts'
import { TimescaleConfigurationError } from './errors.ts'
import { TIMESCALEDB_DEFAULTS as DEFAULTS, type TimescaleDBOptions } from './options.ts'
import type { SqlConnectionOptions, SqlTlsOptions } from './sql-driver.ts'

const port = z.int().min(1).max(65_535)
const text = z.string().min(1)
const count = (least: number): z.ZodInt => z.int().min(least)
const milliseconds = (least: number): z.ZodNumber => z.number().min(least).max(2_147_483_647)

const tls = z.strictObject({
  rejectUnauthorized: z.boolean().optional(),
  ca: text.optional(),
  cert: text.optional(),
  key: text.optional(),
  servername: text.optional(),
})

/** The shape of {@link TimescaleDBOptions}, with its defaults, once URLs are taken apart. */
export const timescaleDBSchema = z.strictObject({
  host: text.default(DEFAULTS.host),
  port: port.default(DEFAULTS.port),
  database: text.default(DEFAULTS.database),
  user: text.default(DEFAULTS.user),
  password: z.string().optional(),
  tls: z.union([z.boolean(), tls]).default(DEFAULTS.tls),
  driver: z.enum(['pg', 'postgres']).default(DEFAULTS.driver),
  applicationName: text.max(63).default(DEFAULTS.applicationName),
  maxConnections: count(1).default(DEFAULTS.maxConnections),
  maxWaiting: count(0).default(DEFAULTS.maxWaiting),
  acquireTimeoutMs: milliseconds(1).default(DEFAULTS.acquireTimeoutMs),
  connectTimeoutMs: milliseconds(1).default(DEFAULTS.connectTimeoutMs),
  idleTimeoutMs: milliseconds(1).default(DEFAULTS.idleTimeoutMs),
  maxLifetimeMs: milliseconds(1).default(DEFAULTS.maxLifetimeMs),
  closeTimeoutMs: milliseconds(0).default(DEFAULTS.closeTimeoutMs),
  statementTimeoutMs: milliseconds(0).default(DEFAULTS.statementTimeoutMs),
  lockTimeoutMs: milliseconds(0).default(DEFAULTS.lockTimeoutMs),
  idleInTransactionTimeoutMs: milliseconds(0).default(DEFAULTS.idleInTransactionTimeoutMs),
  prepare: z.boolean().default(DEFAULTS.prepare),
  replicas: z.array(z.strictObject({ host: text, port: port.optional() })).default([]),
})

/** All settings, complete. */
export type TimescaleDBSettings = Readonly<z.output<typeof timescaleDBSchema>>

const asIs = (value: string): unknown => value
const asNumber = (value: string): unknown => (value.trim() === '' ? value : Number(value))
const asBoolean = (value: string): unknown => ({ true: true, '1': true, on: true, false: false, '0': false, off: false })[value.toLowerCase()] ?? value
const asList = (value: string): unknown => value.split(',').map((item) => item.trim()).filter(Boolean)

/** Every environment variable that is read: its option, and how its text becomes a value. Earlier ones win. */
const VARIABLES: readonly (readonly [variable: string, option: keyof TimescaleDBOptions, parse: (value: string) => unknown])[] = [
  ['TIMESCALEDB_URL', 'url', asIs],
  ['DATABASE_URL', 'url', asIs],
  ['TIMESCALEDB_HOST', 'host', asIs],
  ['TIMESCALEDB_PORT', 'port', asNumber],
  ['TIMESCALEDB_DATABASE', 'database', asIs],
  ['TIMESCALEDB_USER', 'user', asIs],
  ['TIMESCALEDB_PASSWORD', 'password', asIs],
  ['TIMESCALEDB_TLS', 'tls', asBoolean],
  ['TIMESCALEDB_DRIVER', 'driver', asIs],
  ['TIMESCALEDB_APPLICATION_NAME', 'applicationName', asIs],
  ['TIMESCALEDB_MAX_CONNECTIONS', 'maxConnections', asNumber],
  ['TIMESCALEDB_MAX_WAITING', 'maxWaiting', asNumber],
  ['TIMESCALEDB_ACQUIRE_TIMEOUT_MS', 'acquireTimeoutMs', asNumber],
  ['TIMESCALEDB_CONNECT_TIMEOUT_MS', 'connectTimeoutMs', asNumber],
  ['TIMESCALEDB_IDLE_TIMEOUT_MS', 'idleTimeoutMs', asNumber],
  ['TIMESCALEDB_MAX_LIFETIME_MS', 'maxLifetimeMs', asNumber],
  ['TIMESCALEDB_CLOSE_TIMEOUT_MS', 'closeTimeoutMs', asNumber],
  ['TIMESCALEDB_STATEMENT_TIMEOUT_MS', 'statementTimeoutMs', asNumber],
  ['TIMESCALEDB_LOCK_TIMEOUT_MS', 'lockTimeoutMs', asNumber],
  ['TIMESCALEDB_IDLE_IN_TRANSACTION_TIMEOUT_MS', 'idleInTransactionTimeoutMs', asNumber],
  ['TIMESCALEDB_PREPARE', 'prepare', asBoolean],
  ['TIMESCALEDB_REPLICAS', 'replicas', asList],
]

/** Names of the environment variables that {@link TimescaleDBConfig.load} reads. */
export const TIMESCALEDB_VARIABLES: readonly string[] = ['TIMESCALEDB_CONFIG_FILE', ...VARIABLES.map(([variable]) => variable)]

/** Where settings come from. */
export interface TimescaleDBConfigSources {
  /** Win over everything else. @default {} */
  options?: TimescaleDBOptions | undefined
  /** Win over the file. @default the process's own environment */
  environment?: Readonly<Record<string, string | undefined>> | undefined
  /** A JSON file with {@link TimescaleDBOptions}. @default what `TIMESCALEDB_CONFIG_FILE` names, or none */
  file?: string | undefined
}

/** Some settings, and how to name the source of one in an error. */
interface Layer {
  readonly values: Readonly<Record<string, unknown>>
  nameOf(option: string): string
}

/**
 * How the database is reached and how its connections are kept; complete, checked, immutable.
 * Its text forms (`toString`, JSON, `console.log`) hide the password.
 */
export class TimescaleDBConfig {
  readonly settings: Omit<TimescaleDBSettings, 'password'>
  readonly #password: string | undefined

  /** @throws TimescaleConfigurationError naming the option that is wrong */
  constructor(options: TimescaleDBOptions = {}) {
    const { password, ...settings } = resolve([layerOf(options)])
    this.settings = Object.freeze(settings)
    this.#password = password
  }

  /**
   * From options, the environment (`TIMESCALEDB_*`, `DATABASE_URL`) and a file, in this order of precedence.
   *
   * @throws TimescaleConfigurationError naming the option, variable or file that is wrong
   */
  static load(sources: TimescaleDBConfigSources = {}): TimescaleDBConfig {
    const environment = sources.environment ?? process.env
    const file = sources.file ?? environment['TIMESCALEDB_CONFIG_FILE']
    const layers = [layerOf(sources.options ?? {}), layerOfEnvironment(environment), ...(file ? [layerOfFile(file)] : [])]
    return new TimescaleDBConfig(resolve(layers) as TimescaleDBOptions)
  }

  /** Whether there are replicas to read from. */
  get hasReplicas(): boolean {
    return this.settings.replicas.length > 0
  }

  /** A connection string that works, password included: never log it. */
  getConnectionString(): string {
    return this.#connectionString(this.#password)
  }

  /** How a connection to the primary, or to the given replica, is opened. */
  connectionOptions(replica?: { readonly host: string; readonly port?: number | undefined }): SqlConnectionOptions {
    const { settings } = this
    return {
      host: replica?.host ?? settings.host,
      port: replica?.port ?? settings.port,
      database: settings.database,
      user: settings.user,
      password: this.#password,
      tls: settings.tls === true ? {} : (settings.tls as SqlTlsOptions | false),
      connectTimeoutMs: settings.connectTimeoutMs,
      statementTimeoutMs: settings.statementTimeoutMs,
      prepare: settings.prepare,
      settings: {
        application_name: settings.applicationName,
        lock_timeout: String(settings.lockTimeoutMs),
        idle_in_transaction_session_timeout: String(settings.idleInTransactionTimeoutMs),
      },
    }
  }

  /** The connection string with the password hidden. */
  toString(): string {
    return this.#connectionString(this.#password === undefined ? undefined : '***')
  }

  /** All settings, with secrets hidden. */
  toJSON(): Record<string, unknown> {
    const { tls: secure, ...settings } = this.settings
    const shown = typeof secure === 'object' && secure.key !== undefined ? { ...secure, key: '***' } : secure
    return { ...settings, tls: shown, password: this.#password === undefined ? undefined : '***' }
  }

  [inspect.custom](): string {
    return `TimescaleDBConfig ${inspect(this.toJSON())}`
  }

  #connectionString(password: string | undefined): string {
    const { host, port: number, database, user, tls: secure } = this.settings
    const login = password === undefined ? encodeURIComponent(user) : `${encodeURIComponent(user)}:${password === '***' ? password : encodeURIComponent(password)}`
    const mode = secure === false ? 'disable' : typeof secure === 'object' && secure.rejectUnauthorized === false ? 'require' : 'verify-full'
    const socket = host.startsWith('/')
    const place = socket ? `localhost:${number}` : `${host.includes(':') ? `[${host}]` : host}:${number}`
    const query = `sslmode=${mode}${socket ? `&host=${encodeURIComponent(host)}` : ''}`
    return `postgres://${login}@${place}/${encodeURIComponent(database)}?${query}`
  }
}

function layerOf(options: object, nameOf = (option: string): string => `option "${option}"`): Layer {
  return { values: Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)), nameOf }
}

function layerOfEnvironment(environment: Readonly<Record<string, string | undefined>>): Layer {
  const values: Record<string, unknown> = {}
  const names: Record<string, string> = {}
  for (const [variable, option, parse] of VARIABLES) {
    const value = environment[variable]
    if (value === undefined || value === '' || option in values) continue
    values[option] = parse(value)
    names[option] = variable
  }
  return { values, nameOf: (option) => `variable ${names[option] ?? names['url'] ?? option}` }
}

function layerOfFile(file: string): Layer {
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) return layerOf(content, (option) => `"${option}" in ${file}`)
  } catch (cause) {
    // The parser's own message may quote a secret.
    const reason = (cause as { code?: string }).code ?? 'it is no valid JSON'
    throw new TimescaleConfigurationError(`the configuration file ${file} can't be read: ${reason}`, { context: { file } })
  }
  throw new TimescaleConfigurationError(`the configuration file ${file} must hold a JSON object`, { context: { file } })
}

/** Takes URLs apart, lets earlier layers win, checks the result. */
function resolve(layers: readonly Layer[]): z.output<typeof timescaleDBSchema> {
  const values: Record<string, unknown> = {}
  const names = new Map<string, string>()
  for (const layer of layers) {
    for (const [option, value] of Object.entries(withoutUrls(layer))) {
      if (option in values) continue
      values[option] = value
      names.set(option, layer.nameOf(option))
    }
  }
  const parsed = timescaleDBSchema.safeParse(values)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const option = String(issue?.path[0] ?? (issue?.code === 'unrecognized_keys' ? issue.keys[0] : ''))
  const name = names.get(option) ?? `option "${option}"`
  const where = issue && issue.path.length > 1 ? ` (at ${issue.path.slice(1).join('.')})` : ''
  throw new TimescaleConfigurationError(`${name} is wrong${where}: ${issue?.message ?? 'unknown reason'}`, { context: { name, option } })
}

function withoutUrls(layer: Layer): Record<string, unknown> {
  const { url, replicas, ...rest } = layer.values
  const parts = url === undefined ? {} : parseConnectionString(url, layer.nameOf('url'))
  const list = Array.isArray(replicas) ? replicas.map((replica: unknown) => replicaOf(replica, layer)) : replicas
  return { ...parts, ...rest, ...(replicas === undefined ? {} : { replicas: list }) }
}

/** `host`, `host:port`, a whole URL (of which host and port count), or the object itself. */
function replicaOf(replica: unknown, layer: Layer): unknown {
  if (typeof replica !== 'string') return replica
  const { host, port: number } = parseConnectionString(replica.includes('://') ? replica : `postgres://${replica}`, layer.nameOf('replicas'))
  return { host, ...(number === undefined ? {} : { port: number }) }
}
