import { type Clock, ConfigurationError, systemClock } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { BackupError } from '../operational-errors.ts'

/** What an `s3Store` is made from. */
export interface S3StoreOptions {
  /** Address of the provider or the server, without the bucket: `https://s3.eu-central-1.amazonaws.com`. */
  endpoint: string
  /** Its name; it has to be there. */
  bucket: string
  /** Where in the bucket backups lie: `production/clickhouse`. @default at its top */
  prefix?: string | undefined
  /** Region that requests are signed for. @default 'us-east-1' */
  region?: string | undefined
  /** Which key signs. It needs the rights to list, get, put and delete objects, and to abort multipart uploads. */
  accessKeyId: string
  /** What it signs with. It is told to nobody. */
  secretAccessKey: string
  /** Comes with credentials that are good for a while. @default none */
  sessionToken?: string | undefined
  /** Whether the bucket is the first part of the path, or of the host's name, as AWS wants it of new buckets. @default 'path' */
  addressing?: 'path' | 'virtual-host' | undefined
  /** How long one request may take, its further attempts included, and each piece of an object that is read, in milliseconds. @default 60_000 */
  timeoutMs?: number | undefined
  /** Attempts at a request in all, when the server fails (5xx), asks to wait (429) or breaks the connection. @default 4 */
  maxAttempts?: number | undefined
  /** Size of the parts that larger files are sent in, in bytes, at least 5 MiB; two are held in memory. A file has 10,000 parts at most. @default 8_388_608 */
  partBytes?: number | undefined
  /** Ends everything that the store does. @default never aborted */
  signal?: AbortSignal | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Options that were checked and filled in; what isn't explained here is as in {@link S3StoreOptions}. */
export interface S3Settings extends Readonly<Record<'timeoutMs' | 'maxAttempts' | 'partBytes', number>> {
  /** Checked to be HTTP, and without credentials. */
  readonly endpoint: URL
  /** Its name. */
  readonly bucket: string
  /** Empty, or with a slash at its end. */
  readonly prefix: string
  /** What a signer is given. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string; readonly region: string }
  /** Whether the bucket is a part of the host's name. */
  readonly isVirtualHost: boolean
  /** Ends everything. */
  readonly signal: AbortSignal | undefined
  /** Whose time passes. */
  readonly clock: Clock
}

const MIB = 1024 * 1024
const SMALLEST_PART = 5 * MIB

/** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the option and never says a secret */
export function checkS3Options(options: S3StoreOptions): S3Settings {
  const { prefix = '', region = 'us-east-1', sessionToken, addressing = 'path', timeoutMs = 60_000, maxAttempts = 4, partBytes = 8 * MIB } = options
  const endpoint = URL.parse(options.endpoint)
  require(endpoint?.protocol === 'https:' || endpoint?.protocol === 'http:', 'endpoint', 'has to be an address, as https://s3.eu-central-1.amazonaws.com')
  require(endpoint.username === '' && endpoint.password === '' && endpoint.search === '', 'endpoint', 'has to be an address alone, without credentials and parameters')
  require(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/i.test(options.bucket), 'bucket', 'has to be the name of a bucket: 3 to 63 letters, digits, dots and hyphens')
  for (const name of ['accessKeyId', 'secretAccessKey'] as const) require(isHeaderText(options[name]), name, 'has to be there, without spaces and line ends')
  require(sessionToken === undefined || isHeaderText(sessionToken), 'sessionToken', 'may have no spaces and line ends')
  require(isHeaderText(region), 'region', 'has to be the name of a region')
  for (const [name, value, least] of [['timeoutMs', timeoutMs, 1], ['maxAttempts', maxAttempts, 1], ['partBytes', partBytes, SMALLEST_PART]] as const) {
    require(Number.isSafeInteger(value) && value >= least, name, `has to be a whole number of at least ${least}`)
  }
  const folder = prefix.replace(/^\/+|\/+$/g, '')
  require(!leadsUpwards(folder), 'prefix', 'may have no part that is "." or ".."')
  return {
    endpoint,
    bucket: options.bucket,
    prefix: folder === '' ? '' : `${folder}/`,
    credentials: { accessKeyId: options.accessKeyId, secretAccessKey: options.secretAccessKey, region, ...(sessionToken === undefined ? {} : { sessionToken }) },
    isVirtualHost: addressing === 'virtual-host',
    timeoutMs,
    maxAttempts,
    partBytes,
    signal: options.signal,
    clock: options.clock ?? systemClock,
  }
}

/** The key of a file of the store. An address would lose parts that lead upwards, so that another object would be meant. */
export function keyOf({ prefix }: S3Settings, name: string): string {
  const key = prefix + name
  if (!leadsUpwards(key)) return key
  throw new BackupError(`"${key}" is no name in a bucket of backups: a part of it is "." or ".."`, { code: 'ERR_CLICKHOUSE_BACKUP_STORE', status: 400 })
}

/** Where an object, or the bucket itself, is asked for. Every character that signers and servers may read differently is escaped. */
export function addressOf({ endpoint, bucket, isVirtualHost }: S3Settings, key: string, query: Readonly<Record<string, string>>): URL {
  const base = endpoint.pathname.replace(/\/+$/, '')
  const origin = isVirtualHost ? `${endpoint.protocol}//${bucket}.${endpoint.host}${base}` : `${endpoint.origin}${base}/${bucket}`
  const search = Object.entries(query).map(([name, value]) => `${name}=${escaped(value)}`)
  return new URL(`${origin}/${key.split('/').map(escaped).join('/')}${search.length === 0 ? '' : `?${search.join('&')}`}`)
}

/** What `encodeURIComponent` leaves as it is and RFC 3986 doesn't. */
function escaped(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

const leadsUpwards = (key: string): boolean => key.split('/').some((part) => part === '.' || part === '..')

const isHeaderText = (value: unknown): boolean => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)

function require(isRight: boolean, option: keyof S3StoreOptions, what: string): asserts isRight {
  if (!isRight) throw new ConfigurationError<ClickHouseErrorCode>(`s3Store: the option ${option} ${what}`, { code: 'ERR_CLICKHOUSE_CONFIGURATION', context: { option } })
}
