import { inspect } from 'node:util'
import { ConfigurationError } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { ClickHouseConfig, type ClickHouseOptions } from './clickhouse-config.ts'

const config = (options: ClickHouseOptions = {}, environment: Record<string, string> = {}): ClickHouseConfig => new ClickHouseConfig(options, environment)
const params = (options?: ClickHouseOptions, environment?: Record<string, string>) => config(options, environment).getConnectionParams()
const refusal = (options: ClickHouseOptions, environment?: Record<string, string>): ConfigurationError => {
  try {
    config(options, environment)
  } catch (error) {
    if (ConfigurationError.isInstance(error)) return error
  }
  return expect.fail('nothing was refused')
}

describe('ClickHouseConfig', () => {
  it('speaks to a local server when told nothing', () => {
    expect(params()).toEqual({ url: 'http://localhost:8123', host: 'localhost', port: 8123, secure: false, database: 'default', user: 'default', password: '', weight: 1 })
  })

  it('takes a DSN apart', () => {
    expect(params({ url: 'https://me:p%40ss@ch.example:9443/my%20db' })).toEqual({
      url: 'https://ch.example:9443',
      host: 'ch.example',
      port: 9443,
      secure: true,
      database: 'my db',
      user: 'me',
      password: 'p@ss',
      weight: 1,
    })
    expect(params({ url: 'clickhouses://ch.example' }).port).toBe(8443)
    expect(params({ url: 'http://ch.example:80/' }).port).toBe(80)
    expect(params({ url: 'http://[::1]:8123' })).toMatchObject({ host: '::1', url: 'http://[::1]:8123' })
  })

  it('reads the environment', () => {
    const environment = { CLICKHOUSE_HOST: 'h', CLICKHOUSE_PORT: '8124', CLICKHOUSE_DATABASE: 'd', CLICKHOUSE_USER: 'u', CLICKHOUSE_PASSWORD: 'p', CLICKHOUSE_SECURE: 'true' }
    expect(params({}, environment)).toMatchObject({ url: 'https://h:8124', database: 'd', user: 'u', password: 'p' })
    expect(params({}, { CLICKHOUSE_URL: 'http://u:p@h:1234/d' })).toMatchObject({ url: 'http://h:1234', database: 'd', user: 'u', password: 'p' })
  })

  it('lets options win over the environment, and fields over the address', () => {
    expect(params({ user: 'mine' }, { CLICKHOUSE_USER: 'theirs', CLICKHOUSE_PASSWORD: 'p' })).toMatchObject({ user: 'mine', password: 'p' })
    expect(params({ url: 'http://a:1@h:1234/one', database: 'two' }).database).toBe('two')
  })

  it("does not speak to a host of the options on the environment's port", () => {
    expect(params({ host: 'mine' }, { CLICKHOUSE_HOST: 'theirs', CLICKHOUSE_PORT: '9999', CLICKHOUSE_SECURE: '1' }).url).toBe('http://mine:8123')
  })

  it.each([
    [9000, 8123],
    [9440, 8443],
  ])('names the HTTP port when given the native port %i', (port, httpPort) => {
    const error = refusal({ port })
    expect(error.code).toBe('ERR_CLICKHOUSE_CONFIGURATION')
    expect(error.message).toContain(String(httpPort))
    expect(() => config({ url: `http://h:${port}` })).toThrow(String(httpPort))
  })

  it.each<[string, ClickHouseOptions, Record<string, string>]>([
    ['port', { port: 0 }, {}],
    ['port', {}, { CLICKHOUSE_PORT: 'http' }],
    ['requestTimeoutMs', { requestTimeoutMs: -1 }, {}],
    ['retry.maxAttempts', { retry: { maxAttempts: 0 } }, {}],
    ['breaker.failureRate', { breaker: { failureRate: 2 } }, {}],
    ['hots', { hots: 'h' } as ClickHouseOptions, {}],
    ['url', { url: 'ch.example' }, {}],
    ['url', { url: 'tcp://h:8123' }, {}],
    ['url', { url: 'http://h?readonly=1' }, {}],
    ['CLICKHOUSE_URL', {}, { CLICKHOUSE_URL: '::' }],
  ])('names the wrong option: %s', (name, options, environment) => {
    expect(refusal(options, environment).message).toContain(name)
  })

  it('shows no password but where it is asked for', () => {
    const secret = config({ url: 'http://me:hush-hush@h:8123/d' })

    for (const shown of [String(secret), JSON.stringify(secret), inspect(secret), inspect({ secret }, { depth: 9, showHidden: true })]) expect(shown).not.toContain('hush-hush')
    expect(String(secret)).toBe('http://me:***@h:8123/d')
    expect(secret.getDsn()).toBe('http://me:hush-hush@h:8123/d')
  })

  it('gives an address that means the same again', () => {
    const first = config({ host: '::1', user: 'a b', password: 'p/@:?', database: 'd/e', port: 443, secure: true })
    expect(params({ url: first.getDsn() })).toEqual(first.getConnectionParams())
  })

  it('takes several servers, by DSN, by fields and from the environment', () => {
    const urls = (options: ClickHouseOptions, environment?: Record<string, string>): string[] => config(options, environment).getServers().map(({ url, user, password, database }) => `${url} ${user}:${password}@${database}`)
    const two = ['http://a:8123 u:p@d', 'http://b:8124 u:p@d']

    expect(urls({ url: 'http://u:p@a:8123,b:8124/d' })).toEqual(two)
    expect(urls({ url: 'http://u:p@a:8123/d, http://u:p@b:8124/d' })).toEqual(two)
    expect(urls({ servers: ['a', { host: 'b', port: 8124 }], user: 'u', password: 'p', database: 'd' })).toEqual(two)
    expect(urls({ user: 'u', password: 'p', database: 'd' }, { CLICKHOUSE_SERVERS: 'a:8123, b:8124' })).toEqual(two)
    expect(urls({}, { CLICKHOUSE_SERVERS: 'http://u:p@a/d,http://x:y@b:8124' })).toEqual(['http://a:8123 u:p@d', 'http://b:8124 x:y@d'])
    expect(urls({ url: 'http://u:p,q@a:8123/d,e' })).toEqual(['http://a:8123 u:p,q@d,e'])
    expect(urls({ host: 'mine' }, { CLICKHOUSE_SERVERS: 'a,b' })).toEqual(['http://mine:8123 default:@default'])
    expect(urls({ servers: ['https://a', 'b'], secure: true })).toEqual(['https://a:8443 default:@default', 'https://b:8443 default:@default'])
    expect(config({ servers: ['a', { host: 'b', weight: 3 }] }).getServers().map(({ weight }) => weight)).toEqual([1, 3])
  })

  it('gives addresses of several servers that mean the same again, and each by itself', () => {
    const several = config({ servers: [{ host: 'a', user: 'x,y', password: '@,:' }, { host: '::1', port: 9 }], database: 'd,e', requestTimeoutMs: 7 })

    expect(config({ url: several.getDsn() }).getServers()).toEqual(several.getServers())
    expect(String(several)).toBe('http://x%2Cy:***@a:8123/d%2Ce,http://default@[::1]:9/d%2Ce'.replace('default@', 'default:***@'))
    expect(several.eachServer().map((each) => [each.getDsn(), each.getTransportConfig().requestTimeoutMs])).toEqual([
      ['http://x%2Cy:%40%2C%3A@a:8123/d%2Ce', 7],
      ['http://default@[::1]:9/d%2Ce', 7],
    ])
    for (const shown of [JSON.stringify(several), inspect(several, { showHidden: true, depth: 9 })]) expect(shown).not.toContain('@,:')
  })

  it.each<[string, ClickHouseOptions]>([
    ['name one database', { url: 'http://a/d,http://b/e' }],
    ['twice', { servers: ['a', 'a:8123'] }],
    ['in place of', { servers: ['a'], host: 'b' }],
    ['native port', { servers: ['a', 'b:9000'] }],
    ['servers.0.weight', { servers: [{ host: 'a', weight: 0 }] }],
    ['balancing.strategy', { balancing: { strategy: 'best' } } as unknown as ClickHouseOptions],
    ['servers', { servers: [] }],
  ])('refuses servers and says why: %s', (why, options) => {
    expect(refusal(options).message).toContain(why)
  })

  it('tells how data is kept, from the environment', () => {
    expect(config({}, { CLICKHOUSE_RETENTION_DAYS: '90', CLICKHOUSE_BACKUP_FOLDER: '/backups' }).getDataManagementConfig()).toEqual({ retentionDays: 90, backupFolder: '/backups' })
    expect(config().getDataManagementConfig()).toEqual({ retentionDays: null, backupFolder: 'clickhouse-backups' })
    expect(() => config({}, { CLICKHOUSE_RETENTION_DAYS: 'long' }).getDataManagementConfig()).toThrow('CLICKHOUSE_RETENTION_DAYS must be a number of days above 0')
  })

  it('knows where what keeps callers apart lies, and says no secret', () => {
    const environment = { CLICKHOUSE_ACCESS_FILE: '/levels.json', CLICKHOUSE_ACCESS_PASSWORD_READER: 'hush-hush', AUTH_KEY_FILE: '/key', AUDIT_LOG_FILE: '/audit' }

    expect(config({ url: 'https://me:hush-hush@h' }, environment).getSecurityConfig()).toEqual({ secure: true, accessFile: '/levels.json', keyFile: '/key', issuer: null, audience: 'smart-whale', encryptionKeyFolder: null, auditLogFile: '/audit' })
    expect(config({ host: 'h' }).getSecurityConfig()).toMatchObject({ secure: false, accessFile: null })
  })

  it('knows how often a server is looked at', () => {
    expect(config().getMonitoringConfig()).toEqual({ intervalMs: 15_000, timeoutMs: 10_000 })
    expect(config({}, { CLICKHOUSE_MONITORING_INTERVAL_MS: '500' }).getMonitoringConfig()).toMatchObject({ intervalMs: 500 })
    expect(() => config({}, { CLICKHOUSE_MONITORING_INTERVAL_MS: '-1' }).getMonitoringConfig()).toThrow('CLICKHOUSE_MONITORING_INTERVAL_MS must be a whole number')
  })

  it('does not tell a password in a refusal', () => {
    expect(refusal({ url: 'http://me:hush-hush@h:9000' }).message).not.toContain('hush-hush')
  })
})
