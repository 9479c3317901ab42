import { describe, expect, it } from 'vitest'
import { renderBrokerProperties } from './broker-properties.ts'
import { securitySettings } from './security.ts'

const ports = [1, 2, 3].map((node) => ({ plain: 20_000 + node, controller: 21_000 + node, secured: { tls: 22_000 + node, sasl: 23_000 + node } }))
const plan = { id: 2, ports, dataDir: '/data', settings: {}, security: {} }
const read = (text: string): Record<string, string> => Object.fromEntries(text.trim().split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))

describe('renderBrokerProperties', () => {
  it('gives each node its own listeners and the same voters', () => {
    const properties = read(renderBrokerProperties(plan))

    expect(properties['listeners']).toBe('PLAINTEXT://127.0.0.1:20002,SSL://127.0.0.1:22002,SASL_PLAINTEXT://127.0.0.1:23002,CONTROLLER://127.0.0.1:21002')
    expect(properties['advertised.listeners']).not.toContain('CONTROLLER')
    expect(properties['controller.quorum.voters']).toBe('1@127.0.0.1:21001,2@127.0.0.1:21002,3@127.0.0.1:21003')
  })

  it('keeps three copies of which two must be written, or one where there is one node', () => {
    expect(read(renderBrokerProperties(plan))).toMatchObject({ 'default.replication.factor': '3', 'min.insync.replicas': '2' })
    expect(read(renderBrokerProperties({ ...plan, id: 1, ports: ports.slice(0, 1) }))).toMatchObject({ 'default.replication.factor': '1', 'min.insync.replicas': '1', 'offsets.topic.replication.factor': '1' })
  })

  it('lets the caller have the last word', () => {
    const settings = { 'min.insync.replicas': 1, 'auto.create.topics.enable': false }

    expect(read(renderBrokerProperties({ ...plan, settings }))).toMatchObject({ 'min.insync.replicas': '1', 'auto.create.topics.enable': 'false' })
  })
})

describe('securitySettings', () => {
  const certificate = { keyStore: '/tls/broker.p12', certificate: '/tls/broker.pem' }
  const users = [{ username: 'ann', password: 'x' }, { username: 'bob', password: 'y' }]

  it('says nothing where all is plain', () => {
    expect(securitySettings([], users, certificate)).toEqual({})
  })

  it('shows the certificate where there is TLS, and asks for no login there', () => {
    const settings = securitySettings(['tls'], users, certificate)

    expect(settings).toMatchObject({ 'ssl.keystore.location': '/tls/broker.p12' })
    expect(Object.keys(settings).some((name) => name.includes('sasl'))).toBe(false)
  })

  it('knows each user at each listener with a login', () => {
    const settings = securitySettings(['sasl', 'saslTls'], users, certificate)

    expect(settings['listener.name.sasl_plaintext.plain.sasl.jaas.config']).toBe('org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="x" user_bob="y";')
    expect(settings['listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config']).toContain('ScramLoginModule')
  })
})
