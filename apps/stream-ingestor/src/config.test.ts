import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { KafkaPasswordOptions } from '@smart-whale/messaging/kafkajs'
import { readConfig } from './config.ts'

const folder = mkdtempSync(join(tmpdir(), 'smart-whale-config-'))
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
afterAll(() => rmSync(folder, { recursive: true }))

const BASE = { PIPELINES_FILE: 'p.json', KAFKA_BROKERS: 'a:9092, b:9092,' }

describe('the configuration of the ingestor', () => {
  it('needs a pipelines file and brokers, and no more', () => {
    expect(readConfig(BASE)).toMatchObject({
      broker: { kafka: { library: 'kafkajs', compression: 'none', connection: { brokers: ['a:9092', 'b:9092'], clientId: 'smart-whale-ingestor', tls: false } } },
      clickhouse: null,
      databaseUrl: null,
      tokens: null,
      http: { host: '127.0.0.1', port: 4001 },
      stallMs: 60_000,
      sliceBytes: 8 * 1024 * 1024,
      dataRequestsGroup: null,
    })
    expect(readConfig({ PIPELINES_FILE: 'p.json', BROKER_DIR: '/b' }).broker).toEqual({ dataDir: '/b' })
  })

  it('reads the keys of hash steps from a file, and never tells what is wrong in it', () => {
    expect(readConfig(BASE).hashKeys).toEqual({})
    expect(readConfig({ ...BASE, HASH_KEYS_FILE: file('keys.json', '{ "pii": "0123456789abcdef" }') }).hashKeys).toEqual({ pii: '0123456789abcdef' })
    for (const wrong of ['{ "pii": "short" }', '["0123456789abcdef"]', 'secret']) {
      expect(() => readConfig({ ...BASE, HASH_KEYS_FILE: file('wrong.json', wrong) })).toThrow(/^HASH_KEYS_FILE: \S+ must hold a JSON object of names and keys, each key a text of 16 characters at least$/)
    }
  })

  it('reads secrets from files, Kafka\'s anew for each connection', async () => {
    const password = file('kafka', 'one\n')
    const config = readConfig({
      ...BASE,
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD_FILE: password,
      KAFKA_TLS_CA_FILE: file('ca.pem', '-----BEGIN CERTIFICATE-----'),
      DATABASE_URL_FILE: file('url', 'postgres://h/d\n'),
      CLICKHOUSE_URL: 'http://h:8123',
      CLICKHOUSE_PASSWORD_FILE: file('ch', 'secret\n'),
    })
    const { sasl, tls } = (config.broker as { kafka: { connection: { sasl: KafkaPasswordOptions; tls: unknown } } }).kafka.connection
    const read = sasl.password as () => Promise<string>

    expect(await read()).toBe('one')
    file('kafka', 'two')
    expect(await read()).toBe('two')
    expect(tls).toEqual({ ca: '-----BEGIN CERTIFICATE-----' })
    expect(config).toMatchObject({ databaseUrl: 'postgres://h/d', clickhouse: { password: 'secret', user: 'default' } })
  })

  it.each<[string, Record<string, string>, RegExp]>([
    ['no broker', { KAFKA_BROKERS: '' }, /set KAFKA_BROKERS=host:port, or BROKER_DIR/],
    ['two brokers', { BROKER_DIR: '/b' }, /KAFKA_BROKERS and BROKER_DIR exclude each other/],
    ['a certificate that is none', { KAFKA_TLS_CA_FILE: '/dev/null' }, /KAFKA_TLS_CA_FILE: \/dev\/null holds nothing in PEM form/],
    ['a password file that is empty', { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD_FILE: '/dev/null' }, /KAFKA_SASL_PASSWORD_FILE: \/dev\/null is empty/],
    ['a misspelt variable', { KAFKA_BROKERS: '', KAFKA_BROKER: 'secret' }, /set KAFKA_BROKERS=host:port.*; KAFKA_BROKER is set, and nothing reads it: did you mean KAFKA_BROKERS\?$/],
    ['half of a certificate', { KAFKA_TLS_CERT_FILE: '/dev/null' }, /belong together/],
    ['certificates without TLS', { KAFKA_TLS: 'false', KAFKA_TLS_CA_FILE: '/dev/null' }, /KAFKA_TLS is false/],
    ['a file that is not there', { KAFKA_TLS_CA_FILE: '/nope' }, /KAFKA_TLS_CA_FILE: \/nope can't be read/],
    ['a user without a mechanism', { KAFKA_SASL_USERNAME: 'u' }, /KAFKA_SASL_MECHANISM is missing/],
    ['a mechanism without a user', { KAFKA_SASL_MECHANISM: 'PLAIN' }, /KAFKA_SASL_USERNAME is missing/],
    ['a user without a password', { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'u' }, /KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE is missing/],
    ['a token without its file', { KAFKA_SASL_MECHANISM: 'OAUTHBEARER' }, /KAFKA_SASL_TOKEN_FILE is missing/],
    ['keys without their issuer', { AUTH_JWKS_FILE: 'k' }, /AUTH_ISSUER is missing/],
    ['a library that is none', { KAFKA_TRANSPORT: 'librdkafka' }, /KAFKA_TRANSPORT must be kafkajs or platformatic/],
  ])('refuses %s, and says what to set', (_name, changes, message) => {
    expect(() => readConfig({ ...BASE, ...changes })).toThrow(message)
  })
})
