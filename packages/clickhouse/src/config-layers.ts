import { ConfigurationError, type ValidationIssue } from '@smart-whale/interfaces'
import type { ClickHouseOptions } from './clickhouse-config.ts'
import type { ClickHouseErrorCode } from './errors.ts'
import { type ClickHouseServer, namesScheme, splitAddresses } from './servers/server-list.ts'

/** Options under their names, not yet checked. */
export type Layer = Record<string, unknown>

/** Options with the parts of their DSN spelled out; what is undefined is left out. */
export function optionsLayer({ url, servers, ...fields }: ClickHouseOptions): Layer {
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  if (servers === undefined) return { ...(url === undefined ? {} : parseDsn(url, 'url')), ...given }
  if (url !== undefined || given['host'] !== undefined) failConfiguration([{ path: ['servers'], message: 'stand in place of url and host; give the one or the other' }])
  return { ...serversLayer(servers, 'servers'), ...given }
}

/** What `CLICKHOUSE_*` variables say. */
export function environmentLayer(environment: Readonly<Record<string, string | undefined>>): Layer {
  const text = (name: string): string | undefined => environment[`CLICKHOUSE_${name}`] || undefined
  const number = (name: string): number | undefined => (text(name) === undefined ? undefined : Number(text(name)))
  const [url, servers] = [text('URL'), text('SERVERS') ?? text('HOSTS')]
  return {
    ...(url === undefined ? {} : parseDsn(url, 'CLICKHOUSE_URL')),
    ...(servers === undefined ? {} : serversLayer(splitAddresses(servers), text('SERVERS') === undefined ? 'CLICKHOUSE_HOSTS' : 'CLICKHOUSE_SERVERS')),
    ...optionsLayer({
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
  const addresses = splitAddresses(dsn)
  return addresses.length > 1 ? serversLayer(addresses, name) : parseAddress(dsn, name)
}

/** What each server says of itself, and the database, which is the same for all. */
function serversLayer(servers: readonly (string | ClickHouseServer)[], name: string): Layer {
  const databases = new Set<unknown>()
  const layers = servers.map((server) => {
    if (typeof server !== 'string') return server
    const { database, secure, ...layer } = parseAddress(namesScheme(server) ? server : `http://${server}`, name)
    if (database !== undefined) databases.add(database)
    return namesScheme(server) ? { ...layer, secure } : layer
  })
  if (databases.size > 1) failConfiguration([{ path: [name], message: `must name one database for all servers, name ${[...databases].join(', ')}` }])
  return { servers: layers, ...(databases.size === 1 ? { database: [...databases][0] } : {}) }
}

function parseAddress(dsn: string, name: string): Layer {
  const complain = (message: string): never => failConfiguration([{ path: [name], message }])
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

/** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` with each of the issues */
export function failConfiguration(issues: readonly ValidationIssue[]): never {
  const list = issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')
  throw new ConfigurationError<ClickHouseErrorCode>(`ClickHouse configuration: ${list}`, { code: 'ERR_CLICKHOUSE_CONFIGURATION', context: { issues } })
}
