import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TimescaleDBConfig } from './config.ts'
import { TIMESCALEDB_DEFAULTS, type TimescaleDBOptions } from './options.ts'

const load = (environment: Record<string, string>, options: TimescaleDBOptions = {}, file?: string): TimescaleDBConfig => TimescaleDBConfig.load({ environment, options, file })

describe('TimescaleDBConfig', () => {
  it('is complete without any option', () => {
    expect(new TimescaleDBConfig().settings).toEqual(TIMESCALEDB_DEFAULTS)
  })

  it('lets options win over the environment, and the single option over its part of the URL', () => {
    const config = load({ DATABASE_URL: 'postgres://ada:pw@db:6000/lovelace', TIMESCALEDB_PORT: '7000', TIMESCALEDB_MAX_CONNECTIONS: '3' }, { maxConnections: 5 })

    expect(config.settings).toMatchObject({ host: 'db', port: 7000, user: 'ada', database: 'lovelace', maxConnections: 5 })
    expect(config.connectionOptions().password).toBe('pw')
  })

  it('prefers its own variable to the common one', () => {
    expect(load({ DATABASE_URL: 'postgres://common/one', TIMESCALEDB_URL: 'postgres://own/two' }).settings).toMatchObject({ host: 'own', database: 'two' })
  })

  it('reads text as what it stands for', () => {
    const config = load({ TIMESCALEDB_TLS: 'on', TIMESCALEDB_PREPARE: 'true', TIMESCALEDB_STATEMENT_TIMEOUT_MS: '1500', TIMESCALEDB_REPLICAS: 'one, two:5433, postgres://three:5434/' })

    expect(config.settings).toMatchObject({ tls: true, prepare: true, statementTimeoutMs: 1500, replicas: [{ host: 'one' }, { host: 'two', port: 5433 }, { host: 'three', port: 5434 }] })
    expect(config.connectionOptions(config.settings.replicas[1])).toMatchObject({ host: 'two', port: 5433, tls: {}, user: 'postgres' })
  })

  it.each([
    [{ TIMESCALEDB_PORT: 'abc' }, 'TIMESCALEDB_PORT'],
    [{ TIMESCALEDB_PORT: '70000' }, 'TIMESCALEDB_PORT'],
    [{ TIMESCALEDB_TLS: 'maybe' }, 'TIMESCALEDB_TLS'],
    [{ TIMESCALEDB_DRIVER: 'mysql' }, 'TIMESCALEDB_DRIVER'],
    [{ TIMESCALEDB_MAX_CONNECTIONS: '0' }, 'TIMESCALEDB_MAX_CONNECTIONS'],
    [{ TIMESCALEDB_ACQUIRE_TIMEOUT_MS: '-1' }, 'TIMESCALEDB_ACQUIRE_TIMEOUT_MS'],
    [{ DATABASE_URL: 'mysql://u:secret@h/d' }, 'DATABASE_URL'],
    [{ DATABASE_URL: 'postgres://u:sec%ret@h/d' }, 'DATABASE_URL'],
    [{ TIMESCALEDB_URL: 'postgres://u:secret@h/d?sslmode=prefer' }, 'TIMESCALEDB_URL'],
    [{ TIMESCALEDB_URL: 'postgres://u:secret@h/d?hostaddr=1' }, 'TIMESCALEDB_URL'],
    [{ TIMESCALEDB_REPLICAS: 'http://h' }, 'TIMESCALEDB_REPLICAS'],
    [{ TIMESCALEDB_CONFIG_FILE: '/nowhere/at/all.json' }, '/nowhere/at/all.json'],
  ])('names the variable that is wrong: %j', (environment, name) => {
    expect(() => load(environment as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'ERR_TIMESCALEDB_CONFIGURATION', message: expect.stringContaining(name) as string }),
    )
    expect(() => load(environment as Record<string, string>)).not.toThrow(/secret/)
  })

  it.each([
    [{ port: '5432' }, 'option "port"'],
    [{ hosts: 'x' }, 'option "hosts"'],
    [{ tls: { certificate: 'x' } }, 'option "tls"'],
    [{ replicas: [{ host: '' }] }, 'option "replicas" is wrong (at 0.host)'],
    [{ url: 'nonsense' }, 'option "url"'],
  ])('names the option that is wrong: %j', (options, name) => {
    expect(() => new TimescaleDBConfig(options as TimescaleDBOptions)).toThrow(expect.objectContaining({ message: expect.stringContaining(name) as string }))
  })

  it.each([
    ['disable', false],
    ['require', { rejectUnauthorized: false }],
    ['verify-full', {}],
  ])('takes sslmode=%s', (mode, tls) => {
    expect(new TimescaleDBConfig({ url: `postgres://h/d?sslmode=${mode}` }).connectionOptions().tls).toEqual(tls)
  })

  it('gives a connection string that leads to the same place', () => {
    const options = { host: '::1', port: 6000, user: 'a@b', password: 'p/w:#?%', database: 'd b', tls: { rejectUnauthorized: false } }
    const config = new TimescaleDBConfig(options)

    const again = new TimescaleDBConfig({ url: config.getConnectionString() })

    expect(again.connectionOptions()).toEqual(config.connectionOptions())
  })

  it('takes the folder of a unix socket as host', () => {
    const config = new TimescaleDBConfig({ host: '/var/run/postgresql' })

    expect(new TimescaleDBConfig({ url: config.getConnectionString() }).settings.host).toBe('/var/run/postgresql')
  })

  it('hides secrets in every text form', () => {
    const config = new TimescaleDBConfig({ url: 'postgres://ada:s3cret@db/d', tls: { key: 's3cret', ca: 'public' } })

    for (const text of [String(config), JSON.stringify(config), inspect(config), inspect({ config }, { depth: 5 })]) {
      expect(text).not.toContain('s3cret')
      expect(text).toContain('***')
    }
    expect(config.getConnectionString()).toContain('s3cret')
  })

  describe('with a file', () => {
    let folder: string
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'smart-whale-config-'))
    })
    afterEach(() => rmSync(folder, { recursive: true }))
    const write = (content: string): string => {
      const file = join(folder, 'timescaledb.json')
      writeFileSync(file, content)
      return file
    }

    it('lets the environment win over it', () => {
      const file = write(JSON.stringify({ host: 'from-file', port: 6000, user: 'file' }))

      expect(load({ TIMESCALEDB_CONFIG_FILE: file, TIMESCALEDB_HOST: 'from-environment' }).settings).toMatchObject({ host: 'from-environment', port: 6000, user: 'file' })
    })

    it.each([
      ['{"port": "many"}', '"port" in'],
      ['["host"]', 'must hold a JSON object'],
      ['{"password": "s3cret", }', 'no valid JSON'],
    ])('names what is wrong in %s', (content, message) => {
      const file = write(content)

      expect(() => load({}, {}, file)).toThrow(expect.objectContaining({ message: expect.stringContaining(message) as string }))
      expect(() => load({}, {}, file)).toThrow(file)
      expect(() => load({}, {}, file)).not.toThrow(/s3cret/)
    })
  })
})
