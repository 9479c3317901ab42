import { describe, expect, it } from 'vitest'
import type { KafkaConnectionOptions } from './connection-options.ts'
import { connectionSettings } from './connection-settings.ts'

const brokers = ['localhost:9092']
const refusal = (message: string) => expect.objectContaining({ code: 'ERR_MESSAGING_OPTION', message: expect.stringContaining(message) as string }) as Error
const given = (options: unknown): (() => unknown) => () => connectionSettings(options as KafkaConnectionOptions)

describe('options of connections', () => {
  it('have defaults', () => {
    expect(connectionSettings({ brokers })).toMatchObject({ clientId: 'smart-whale', connectTimeoutMs: 10_000, tls: undefined, sasl: undefined })
  })

  it('name brokers by name or address', () => {
    const { seeds } = connectionSettings({ brokers: ['kafka-1.example:9092', '10.0.0.1:65535', '[::1]:9094'] })

    expect(seeds).toEqual([
      { host: 'kafka-1.example', port: 9092 },
      { host: '10.0.0.1', port: 65_535 },
      { host: '::1', port: 9094 },
    ])
  })

  it.each([[[]], [undefined], ['localhost:9092'], [['localhost']], [['localhost:0']], [['localhost:65536']], [['kafka://localhost:9092']], [['::1:9092']], [[9092]]])(
    'refuse brokers %j',
    (wrong) => {
      expect(given({ brokers: wrong })).toThrow(refusal('option brokers'))
    },
  )

  it.each([
    ['clientId', { clientId: '' }],
    ['connectTimeoutMs', { connectTimeoutMs: 0 }],
    ['connectTimeoutMs', { connectTimeoutMs: 2 ** 31 }],
    ['tls', { tls: 'yes' }],
    ['tls', { tls: { cert: 'not a certificate' } }],
    ['sasl', { sasl: 'PLAIN' }],
    ['sasl.mechanism', { sasl: { mechanism: 'plain', username: 'a', password: 'b' } }],
    ['sasl.username', { sasl: { mechanism: 'PLAIN', password: 'b' } }],
    ['sasl.password', { sasl: { mechanism: 'PLAIN', username: 'a' } }],
    ['sasl.password', { sasl: { mechanism: 'PLAIN', username: 'a', password: '' } }],
    ['sasl.token', { sasl: { mechanism: 'OAUTHBEARER' } }],
  ])('refuse a wrong %s', (name, wrong) => {
    expect(given({ brokers, ...wrong })).toThrow(refusal(`option ${name} `))
  })

  it('never say what a wrong secret was', () => {
    const failures = [{ sasl: { mechanism: 'secret-1', username: 'a', password: 'secret-1' } }, { tls: { key: 'secret-1', cert: 'secret-1', passphrase: 'secret-1' } }]

    for (const options of failures) expect(given({ brokers, ...options })).toThrow(expect.not.objectContaining({ message: expect.stringContaining('secret-1') as string }) as Error)
  })
})
