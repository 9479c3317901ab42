import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { quoteName } from '../access/quote-name.ts'
import type { EmbeddedAccount, EmbeddedTableRight, QueryLimits, ServerConfig, ServerConfigValue, SettingBounds } from './start-options.ts'

/** One account as it goes into the users file. */
export interface ServerUser extends EmbeddedAccount {
  /** `everything` for the owner. */
  readonly access: 'everything' | LimitedAccess
}

/** What an account other than the owner may do. */
export interface LimitedAccess {
  readonly databases: readonly string[]
  readonly tables?: readonly (EmbeddedTableRight & { readonly database: string })[]
  readonly readOnly: boolean
  readonly limits: QueryLimits
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  readonly changeable?: Readonly<Record<string, SettingBounds>>
}

/** The folders of one data folder. */
export function serverFolders(dataDir: string): { server: string; backups: string } {
  return { server: join(dataDir, 'server'), backups: join(dataDir, 'backups') }
}

/** The server's `config.xml`. */
export function renderServerConfig(dataDir: string, port: number, usersFile: string, overrides: ServerConfig): string {
  const folders = serverFolders(dataDir)
  const own: ServerConfig = {
    path: `${folders.server}/`,
    http_port: port,
    listen_host: '127.0.0.1',
    users_config: usersFile,
    timezone: 'UTC',
    backups: { allowed_path: `${folders.backups}/` },
  }
  return `${renderXml('clickhouse', merge(merge(DEFAULTS, overrides), own))}\n`
}

const MIB = 1024 * 1024

/** For a laptop and a test: small caches, no telemetry; the query log of the running server is kept, because it answers "what did my query cost?". */
const DEFAULTS: ServerConfig = {
  max_server_memory_usage: 1024 * MIB,
  max_concurrent_queries: 100,
  mark_cache_size: 64 * MIB,
  primary_index_cache_size: 64 * MIB,
  index_mark_cache_size: 16 * MIB,
  compiled_expression_cache_size: 16 * MIB,
  query_condition_cache_size: 16 * MIB,
  parquet_metadata_cache_size: 16 * MIB,
  vector_similarity_index_cache_size: 16 * MIB,
  query_cache: { max_size_in_bytes: 32 * MIB },
  keep_alive_timeout: 30,
  query_log: {
    database: 'system',
    table: 'query_log',
    engine: 'ENGINE = MergeTree PARTITION BY event_date ORDER BY event_time TTL event_date + INTERVAL 7 DAY DELETE',
    flush_interval_milliseconds: 7500,
  },
  // Without these, every user may list what others have, through the system tables.
  access_control_improvements: {
    select_from_system_db_requires_grant: true,
    select_from_information_schema_requires_grant: true,
    table_engines_require_grant: true,
    // Without it, no setting can be changeable for a read-only user.
    settings_constraints_replace_previous: true,
  },
}

/**
 * The server's users file, with hashed passwords.
 *
 * `default` must exist, without a password: the server's own session logs in as it, to start the listener and then to
 * read a standard input that stays silent. That session lives as long as the server and is the only one that `default` may have, so
 * nobody else can log in as it.
 */
export function renderUsersConfig(users: readonly ServerUser[]): string {
  const local = { ip: ['127.0.0.1', '::1'] }
  const launcher: ServerConfig = {
    no_password: '',
    networks: local,
    profile: 'launcher',
    quota: 'default',
    grants: { query: ['GRANT SYSTEM LISTEN, CREATE TEMPORARY TABLE ON *.*', 'GRANT READ ON FILE'] },
  }
  const accounts = users.map((user) => [user.username, renderUser(user, local)] as const)
  const profiles = users.map((user) => [profileName(user), profileSettings(user)] as const)
  return `${renderXml('clickhouse', {
    profiles: { default: LONG_PARAMETERS, launcher: { max_sessions_for_user: 1 }, ...Object.fromEntries(profiles) },
    quotas: { default: '' },
    users: { default: launcher, ...Object.fromEntries(accounts) },
  })}\n`
}

/** Bound values travel in the address; of a list of ids a hundred kilobytes are soon full. Read before anyone has logged in. */
const LONG_PARAMETERS: ServerConfig = { http_max_uri_size: 16 * MIB, http_max_field_value_size: 16 * MIB }

const profileName = (user: ServerUser): string => `profile_of_${user.username}`

function renderUser(user: ServerUser, networks: ServerConfig): ServerConfig {
  const common = {
    password_sha256_hex: createHash('sha256').update(user.password).digest('hex'),
    networks,
    profile: profileName(user),
    quota: 'default',
  }
  if (user.access === 'everything') return { ...common, access_management: 1 }
  const { readOnly, databases, tables = [] } = user.access
  const rights = readOnly ? 'SELECT, SHOW, dictGet' : 'SELECT, INSERT, ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE, SHOW, dictGet'
  const filters = rowFilters(tables)
  return {
    ...common,
    // Table functions that compute (`numbers`, `values`) need the temporary-table right; those that reach out (`file`, `url`, `s3`,
    // `remote`) need a right of their own on the source as well, which is not given.
    grants: {
      query: [
        'GRANT CREATE TEMPORARY TABLE ON *.*',
        ...(readOnly ? [] : ENGINE_GRANTS),
        ...databases.map((name) => `GRANT ${rights} ON ${databasePattern(name)}.*`),
        ...tables.filter(({ columns }) => columns?.length !== 0).map((right) => `GRANT SELECT${columnList(right)} ON ${quoteName(right.database)}.${quoteName(right.table)}`),
      ],
    },
    ...(filters === undefined ? {} : { databases: filters }),
  }
}

const columnList = ({ columns }: EmbeddedTableRight): string => (columns === undefined ? '' : `(${columns.map(quoteName).join(', ')})`)

/** The conditions as the users file has them: database, table, filter. */
function rowFilters(tables: NonNullable<LimitedAccess['tables']>): ServerConfig | undefined {
  const filtered = tables.filter(({ filter }) => filter !== undefined)
  if (filtered.length === 0) return undefined
  const databases = Map.groupBy(filtered, ({ database }) => database)
  return { database: [...databases].map(([name, rights]) => ({ '@name': name, table: rights.map(({ table, filter = '' }) => ({ '@name': table, filter })) })) }
}

/** Engines that keep their data here; `File`, `URL`, `S3` and the like reach out. */
const ENGINE_GRANTS = ['', 'Replacing', 'Summing', 'Aggregating', 'Collapsing', 'VersionedCollapsing']
  .map((prefix) => `${prefix}MergeTree`)
  .concat('Null', 'Memory')
  .map((engine) => `GRANT TABLE ENGINE ON ${engine}`)

/** A name that ends in a wildcard is plain (the options check that) and must not be quoted. */
function databasePattern(name: string): string {
  return name.endsWith('*') ? name : quoteName(name)
}

function profileSettings(user: ServerUser): ServerConfigValue {
  if (user.access === 'everything') return ''
  const { limits, readOnly, settings, changeable = {} } = user.access
  const constraints = Object.entries(changeable).map(([name, bounds]) => [name, { ...bounds, changeable_in_readonly: '' }] as const)
  return {
    readonly: readOnly ? 1 : 0,
    max_execution_time: limits.maxExecutionSeconds ?? 10,
    max_memory_usage: limits.maxMemoryBytes ?? 500_000_000,
    max_rows_to_read: limits.maxRowsToRead ?? 1_000_000_000,
    max_bytes_to_read: limits.maxBytesToRead ?? 50_000_000_000,
    max_result_rows: limits.maxResultRows ?? 1_000_000,
    max_result_bytes: limits.maxResultBytes ?? 256_000_000,
    allow_introspection_functions: 0,
    allow_ddl: readOnly ? 0 : 1,
    // A read-only user's queries may bring no settings: whatever an exact and cancellable answer needs stands here.
    cancel_http_readonly_queries_on_client_close: 1,
    output_format_json_quote_64bit_integers: 1,
    output_format_json_quote_decimals: 1,
    output_format_json_quote_denormals: 1,
    ...settings,
    ...(constraints.length > 0 && { constraints: Object.fromEntries(constraints) }),
  }
}

function merge(base: ServerConfig, over: ServerConfig): ServerConfig {
  const merged: Record<string, ServerConfigValue> = { ...base }
  for (const [name, value] of Object.entries(over)) {
    const before = merged[name]
    merged[name] = isRecord(before) && isRecord(value) ? merge(before, value) : value
  }
  return merged
}

const isRecord = (value: ServerConfigValue | undefined): value is ServerConfig =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Members whose name begins with `@` are attributes. */
function renderXml(name: string, value: ServerConfigValue): string {
  if (Array.isArray(value)) return value.map((item) => renderXml(name, item)).join('')
  if (!isRecord(value)) return `<${name}>${escapeXml(plainText(value as string | number | boolean))}</${name}>`
  const [attributes, children] = [true, false].map((wanted) => Object.entries(value).filter(([member]) => member.startsWith('@') === wanted)) as [[string, ServerConfigValue][], [string, ServerConfigValue][]]
  const start = attributes.map(([member, text]) => ` ${member.slice(1)}="${escapeXml(plainText(text as string))}"`).join('')
  return `<${name}${start}>${children.map(([child, inner]) => renderXml(child, inner)).join('')}</${name}>`
}

const plainText = (value: string | number | boolean): string => (typeof value === 'boolean' ? String(Number(value)) : String(value))

const escapeXml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
