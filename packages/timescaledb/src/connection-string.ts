import { TimescaleConfigurationError } from './errors.ts'
import type { SqlTlsOptions } from './sql-driver.ts'

/** What a connection string says; the rest is left to defaults. */
export interface ConnectionStringParts {
  host?: string
  port?: number
  database?: string
  user?: string
  password?: string
  tls?: boolean | SqlTlsOptions
  applicationName?: string
}

/** libpq's words for TLS. `prefer` and `allow` fall back to plain text behind one's back, and are not to be had. */
const TLS_MODES: Readonly<Record<string, boolean | SqlTlsOptions>> = {
  disable: false,
  require: { rejectUnauthorized: false },
  'no-verify': { rejectUnauthorized: false },
  'verify-ca': true,
  'verify-full': true,
}

/**
 * Takes `postgres://user:password@host:port/database?sslmode=…` apart.
 *
 * @param name how an error calls the source of the string; the string itself is never shown, for its password
 * @throws TimescaleConfigurationError
 */
export function parseConnectionString(value: unknown, name: string): ConnectionStringParts {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new TimescaleConfigurationError(`${name} must be a connection string: postgres://user:password@host:port/database`, { context: { name } })
  }
  const { host, application_name: applicationName, sslmode, ...unknown } = Object.fromEntries(url.searchParams)
  const [extra] = Object.keys(unknown)
  if (extra !== undefined) throw new TimescaleConfigurationError(`${name} has a parameter "${extra}" that is not known; known are sslmode, host and application_name`, { context: { name } })
  const place = host ?? url.hostname.replace(/^\[(.*)\]$/, '$1')
  return {
    ...(place ? { host: decode(place, name) } : {}),
    ...(url.port ? { port: Number(url.port) } : {}),
    ...(url.pathname.length > 1 ? { database: decode(url.pathname.slice(1), name) } : {}),
    ...(url.username ? { user: decode(url.username, name) } : {}),
    ...(url.password ? { password: decode(url.password, name) } : {}),
    ...(sslmode === undefined ? {} : { tls: tlsOf(sslmode, name) }),
    ...(applicationName === undefined ? {} : { applicationName }),
  }
}

function tlsOf(mode: string, name: string): boolean | SqlTlsOptions {
  const known = TLS_MODES[mode]
  if (known !== undefined) return known
  throw new TimescaleConfigurationError(`${name} has sslmode=${mode}; write one of ${Object.keys(TLS_MODES).join(', ')}`, { context: { name } })
}

function decode(part: string, name: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new TimescaleConfigurationError(`${name} has a % that starts no escape; write it as %25`, { context: { name } })
  }
}
