import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readKafkaConfig } from './kafka-config.ts'

function filesWith(contents: Readonly<Record<string, string>>): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'smart-whale-kafka-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(folder, name), text)
  return (name) => join(folder, name)
}

describe('the Kafka configuration', () => {
  it('has defaults for a broker on this machine', () => {
    expect(readKafkaConfig({})).toEqual({
      library: 'kafkajs',
      compression: 'none',
      connection: { brokers: ['localhost:9092'], clientId: 'smart-whale', tls: false, sasl: undefined },
    })
  })

  it('reads every variable', async () => {
    const path = filesWith({ ca: 'CA', cert: 'CERT', key: 'KEY', password: ' secret\n' })

    const { library, compression, connection } = readKafkaConfig({
      KAFKA_BROKERS: 'a:9092, [::1]:9093',
      KAFKA_CLIENT_ID: 'me',
      KAFKA_TRANSPORT: 'platformatic',
      KAFKA_COMPRESSION: 'gzip',
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: path('ca'),
      KAFKA_TLS_CERT_FILE: path('cert'),
      KAFKA_TLS_KEY_FILE: path('key'),
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD_FILE: path('password'),
    })

    expect([library, compression]).toEqual(['platformatic', 'gzip'])
    expect(connection).toMatchObject({ brokers: ['a:9092', '[::1]:9093'], clientId: 'me', tls: { ca: 'CA', cert: 'CERT', key: 'KEY' }, sasl: { mechanism: 'SCRAM-SHA-512', username: 'u' } })
    const { password } = connection.sasl as { password: () => Promise<string> }
    expect(await password()).toBe('secret')
  })

  it('knows KAFKA_SSL as another name for KAFKA_TLS', () => {
    expect(readKafkaConfig({ KAFKA_SSL: 'TRUE' }).connection.tls).toBe(true)
  })

  it.each([
    ['KAFKA_BROKERS', { KAFKA_BROKERS: 'hunter2' }],
    ['KAFKA_BROKERS', { KAFKA_BROKERS: 'user:hunter2@host:1' }],
    ['KAFKA_TRANSPORT', { KAFKA_TRANSPORT: 'hunter2' }],
    ['KAFKA_COMPRESSION', { KAFKA_COMPRESSION: 'hunter2' }],
    ['KAFKA_TLS', { KAFKA_TLS: 'hunter2' }],
    ['KAFKA_SSL', { KAFKA_SSL: 'true', KAFKA_TLS: 'true' }],
    ['KAFKA_TLS_CA_FILE', { KAFKA_TLS_CA_FILE: '/hunter2' }],
    ['KAFKA_SASL_MECHANISM', { KAFKA_SASL_PASSWORD: 'hunter2' }],
    ['KAFKA_SASL_MECHANISM', { KAFKA_SASL_MECHANISM: 'hunter2' }],
    ['KAFKA_SASL_USERNAME', { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_PASSWORD: 'hunter2' }],
    ['KAFKA_SASL_PASSWORD', { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'hunter2' }],
    ['KAFKA_SASL_TOKEN_FILE', { KAFKA_SASL_MECHANISM: 'OAUTHBEARER' }],
  ])('names %s when it is wrong, and not what it holds', (variable, environment) => {
    const read = (): unknown => readKafkaConfig(environment)

    expect(read).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_CONFIGURATION', message: expect.stringMatching(new RegExp(`^${variable} `)) as string }) as Error)
    expect(read).not.toThrow(/hunter2/)
  })

  it('wants a certificate and its key together', () => {
    const path = filesWith({ cert: 'CERT' })

    expect(() => readKafkaConfig({ KAFKA_TLS_CERT_FILE: path('cert') })).toThrow(/KAFKA_TLS_KEY_FILE/)
    expect(() => readKafkaConfig({ KAFKA_TLS: 'false', KAFKA_TLS_CA_FILE: path('cert') })).toThrow(/certificates are given/)
  })
})
