import { type Clock, ConfigurationError, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { createSecureContext, type ConnectionOptions as TlsOptions } from 'node:tls'
import { kindOf, optionError } from '../../errors.ts'
import type { KafkaTarget } from '../kafka-api.ts'
import type { KafkaConnectionOptions, KafkaSaslOptions, KafkaSecret } from './connection-options.ts'

/** {@link KafkaConnectionOptions}, checked, with every default in place. */
export interface ConnectionSettings {
  /** Brokers to begin with. @default see {@link KafkaConnectionOptions} */
  readonly seeds: readonly KafkaTarget[]
  /** How we are called in the brokers' logs. @default see {@link KafkaConnectionOptions} */
  readonly clientId: string
  /** What connections are encrypted with, certificates read; undefined leaves them plain. @default see {@link KafkaConnectionOptions} */
  readonly tls: TlsOptions | undefined
  /** How we say who we are. @default see {@link KafkaConnectionOptions} */
  readonly sasl: KafkaSaslOptions | undefined
  /** How long a connection may take to stand, in milliseconds. @default see {@link KafkaConnectionOptions} */
  readonly connectTimeoutMs: number
  /** Where connections log. @default see {@link KafkaConnectionOptions} */
  readonly logger: Logger
  /** Whose time passes. @default see {@link KafkaConnectionOptions} */
  readonly clock: Clock
}

const MECHANISMS: readonly KafkaSaslOptions['mechanism'][] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']
const MAX_CLIENT_ID_LENGTH = 255
/** The longest that Node's timers wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/**
 * Checks the options and puts the defaults in place.
 *
 * @throws ConfigurationError `ERR_MESSAGING_OPTION`
 */
export function connectionSettings(options: KafkaConnectionOptions): ConnectionSettings {
  const { clientId = 'smart-whale', connectTimeoutMs = 10_000, logger = silentLogger, clock = systemClock } = options
  if (typeof clientId !== 'string' || clientId === '' || clientId.length > MAX_CLIENT_ID_LENGTH) {
    throw optionError('clientId', clientId, `a text of 1 to ${MAX_CLIENT_ID_LENGTH} characters`)
  }
  if (!Number.isInteger(connectTimeoutMs) || connectTimeoutMs < 1 || connectTimeoutMs > MAX_TIMEOUT_MS) {
    throw optionError('connectTimeoutMs', connectTimeoutMs, `a whole number from 1 to ${MAX_TIMEOUT_MS}`)
  }
  const settings = { seeds: seedsOf(options.brokers), clientId, tls: tlsOf(options.tls), sasl: saslOf(options.sasl), connectTimeoutMs, logger, clock }
  if (settings.sasl?.mechanism === 'PLAIN' && settings.tls === undefined) {
    logger.warn({ mechanism: 'PLAIN' }, 'the Kafka password is sent unencrypted: set tls, or use a SCRAM mechanism')
  }
  return settings
}

function seedsOf(brokers: unknown): KafkaTarget[] {
  if (!Array.isArray(brokers) || brokers.length === 0) throw optionError('brokers', brokers, 'a list of "host:port", one at least')
  return brokers.map((broker: unknown, index) => {
    const found = typeof broker === 'string' ? /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(broker) : null
    const [host, port] = [found?.[1] ?? found?.[2], Number(found?.[3])]
    if (host === undefined || port < 1 || port > 65_535) throw optionError(`brokers[${index}]`, broker, '"host:port", or "[address]:port" for IPv6')
    return { host, port }
  })
}

/** One context for all connections: certificates are read once, and what is wrong with them is said at once. */
function tlsOf(tls: unknown): TlsOptions | undefined {
  if (tls === undefined || tls === false) return undefined
  if (tls !== true && (typeof tls !== 'object' || tls === null)) throw optionError('tls', tls, 'a boolean or options of node:tls')
  const options: TlsOptions = tls === true ? {} : tls
  try {
    return { ...options, secureContext: options.secureContext ?? createSecureContext(options) }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : kindOf(cause)
    throw new ConfigurationError(`option tls can't be used: ${reason}; check ca, cert, key and passphrase`, {
      code: 'ERR_MESSAGING_OPTION',
      context: { option: 'tls' },
    })
  }
}

function saslOf(sasl: unknown): KafkaSaslOptions | undefined {
  if (sasl === undefined) return undefined
  if (typeof sasl !== 'object' || sasl === null) throw optionError('sasl', sasl, 'an object with a mechanism')
  const given = sasl as Partial<Record<'mechanism' | 'username' | 'password' | 'token', unknown>>
  const mechanism = MECHANISMS.find((known) => known === given.mechanism)
  if (mechanism === undefined) throw optionError('sasl.mechanism', given.mechanism, MECHANISMS.join(', '))
  if (mechanism === 'OAUTHBEARER') return { mechanism, token: secretOption('sasl.token', given.token) }
  if (typeof given.username !== 'string' || given.username === '') throw optionError('sasl.username', given.username, 'a text')
  return { mechanism, username: given.username, password: secretOption('sasl.password', given.password) }
}

function secretOption(name: string, secret: unknown): KafkaSecret {
  if (typeof secret === 'function') return secret as KafkaSecret
  if (typeof secret === 'string' && secret !== '') return secret
  throw optionError(name, typeof secret === 'string' ? undefined : secret, 'a text, or a function that brings one')
}
