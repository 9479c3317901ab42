import { describe, expect, it } from 'vitest'
import { ConfigurationError, ConnectionError } from '@smart-whale/interfaces'
import { createKafkaJsTransport } from '@smart-whale/messaging/kafkajs'
import { forOperator, inVariableNames } from './kafka-variable-names.ts'

describe('inVariableNames', () => {
  it.each([
    ['option brokers[1] must be "host:port", got a string', 'KAFKA_BROKERS (its entry 2) must be "host:port", got a string'],
    ['broker a:1: the listener speaks TLS: set the option tls', 'broker a:1: the listener speaks TLS: set KAFKA_TLS=true'],
    ["the broker's certificate is from an authority that isn't trusted: give its certificate as tls.ca", "the broker's certificate is from an authority that isn't trusted: give its certificate as KAFKA_TLS_CA_FILE"],
    ['give tls.cert and tls.key', 'give KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE'],
    ['the function sasl.password failed with Error', 'the file of KAFKA_SASL_PASSWORD_FILE failed with Error'],
    ['option sasl.token must be a text', 'KAFKA_SASL_TOKEN must be a text'],
    ["the listener doesn't offer SASL PLAIN: use a mechanism that it offers, or leave sasl out", "the listener doesn't offer SASL PLAIN: use a mechanism that it offers, or unset KAFKA_SASL_MECHANISM"],
    ['the topic "tls" is gone', 'the topic "tls" is gone'],
  ])('makes of %j what an operator set', (sentence, named) => {
    expect(inVariableNames(sentence)).toBe(named)
  })
})

describe('forOperator', () => {
  it('keeps what an error is, and what has no option in it as it is', () => {
    const plain = new ConnectionError('away')
    const named = forOperator(new ConfigurationError('set the option tls', { code: 'ERR_MESSAGING_AUTHENTICATION' }))

    expect(forOperator(plain)).toBe(plain)
    expect(ConfigurationError.isInstance(named)).toBe(true)
    expect(named).toMatchObject({ code: 'ERR_MESSAGING_AUTHENTICATION', message: 'set KAFKA_TLS=true', retryable: false })
  })

  it('names the variable of what the transport itself refuses', () => {
    let refused: unknown
    try {
      createKafkaJsTransport({ brokers: ['localhost'] })
    } catch (error) {
      refused = forOperator(error)
    }

    expect((refused as Error).message).toMatch(/^KAFKA_BROKERS \(its entry 1\) must be/)
  })
})
