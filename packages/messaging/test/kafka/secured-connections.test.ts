import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { type KafkaCluster, startKafka, TEST_USER } from '../../../../tools/services/src/index.ts'
import type { KafkaTarget } from '../../src/kafka/kafka-api.ts'
import { createKafkaJsConnections } from '../../src/kafkajs/index.ts'
import { createPlatformaticConnections } from '../../src/platformatic/index.ts'
import { makeExpiredCertificate } from './expired-certificate.ts'
import { securedContract } from './secured-contract.ts'

const libraries = { kafkajs: createKafkaJsConnections, '@platformatic/kafka': createPlatformaticConnections }
const kafka = inject('kafka')
const SESSION_MS = 2_000

/** Kafka takes tokens that nobody signed when it is told so. */
const TOKENS_MODULE = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
const TOKENS = {
  'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
  'listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config': TOKENS_MODULE,
  'listener.name.sasl_ssl.oauthbearer.sasl.jaas.config': TOKENS_MODULE,
}

const targetOf = (address: string | undefined): KafkaTarget => {
  const [host = '', port] = address?.split(':') ?? []
  return { host, port: Number(port) }
}

describe('at listeners with TLS and SASL', () => {
  let cluster: KafkaCluster | undefined

  beforeAll(async () => {
    if (kafka.found !== null) cluster = await startKafka({ settings: { ...TOKENS, 'connections.max.reauth.ms': SESSION_MS }, heapMegabytes: 256, isShortLived: true })
  })
  afterAll(() => cluster?.stop())

  describe.each(Object.entries(libraries))('connections of %s', (_name, create) => {
    it.for(securedContract)('$name', async ({ run }, context) => {
      if (cluster === undefined) return context.skip(`needs Apache Kafka: ${kafka.found === null ? kafka.remedy : 'it did not start'}`)
      const { brokers, secured, certificate } = cluster

      await run({
        create,
        plain: targetOf(brokers[0]),
        tls: targetOf(secured.tls?.[0]),
        sasl: targetOf(secured.sasl?.[0]),
        saslTls: targetOf(secured.saslTls?.[0]),
        certificate,
        user: TEST_USER,
        expired: makeExpiredCertificate,
        sessionMs: SESSION_MS,
      })
    })
  })
})
