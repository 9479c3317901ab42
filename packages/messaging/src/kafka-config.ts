import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { ConfigurationError, markError } from '@smart-whale/interfaces'
import type { MessagingErrorCode } from './errors.ts'
import type { KafkaConnectionOptions, KafkaSaslOptions } from './kafka/connections/connection-options.ts'

/** The libraries that can make the connections. */
export const KAFKA_LIBRARIES = ['kafkajs', 'platformatic'] as const

/** How a Kafka cluster is reached, as the environment says. */
export interface KafkaConfig {
  /** Library that makes the connections, an optional peer. @default 'kafkajs' */
  readonly library: (typeof KAFKA_LIBRARIES)[number]
  /** Brokers, name, encryption and credentials. @default localhost:9092, without either */
  readonly connection: KafkaConnectionOptions
  /** How batches are compressed. @default 'none' */
  readonly compression: 'none' | 'gzip'
}

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const
const DEFAULT_BROKERS = 'localhost:9092'
const DEFAULT_CLIENT_ID = 'smart-whale'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads how a Kafka cluster is reached: `KAFKA_BROKERS`, `KAFKA_CLIENT_ID`, `KAFKA_TRANSPORT`, `KAFKA_COMPRESSION`, `KAFKA_TLS` (or `KAFKA_SSL`)
 * with `_CA_FILE`, `_CERT_FILE` and `_KEY_FILE`, `KAFKA_SASL_MECHANISM`, `_USERNAME`, `_PASSWORD`, `_PASSWORD_FILE` and `_TOKEN_FILE`.
 *
 * @throws ConfigurationError `ERR_MESSAGING_CONFIGURATION` that names the variable, never what it holds
 */
export function readKafkaConfig(environment: Environment = process.env): KafkaConfig {
  const read = (name: string): string | undefined => environment[name]?.trim() || undefined
  return {
    library: oneOf('KAFKA_TRANSPORT', read('KAFKA_TRANSPORT')?.toLowerCase() ?? 'kafkajs', KAFKA_LIBRARIES),
    compression: oneOf('KAFKA_COMPRESSION', read('KAFKA_COMPRESSION') ?? 'none', ['none', 'gzip']),
    connection: {
      brokers: brokersOf(read('KAFKA_BROKERS') ?? DEFAULT_BROKERS),
      clientId: read('KAFKA_CLIENT_ID') ?? DEFAULT_CLIENT_ID,
      tls: tlsOf(read),
      sasl: saslOf(read),
    },
  }
}

type Read = (name: string) => string | undefined

function brokersOf(text: string): readonly string[] {
  const brokers = text.split(',').map((broker) => broker.trim())
  if (brokers.every((broker) => /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/@]+):\d{1,5}$/.test(broker))) return brokers
  throw wrong('KAFKA_BROKERS', 'must be host:port, or several of them with commas between')
}

function tlsOf(read: Read): KafkaConnectionOptions['tls'] {
  const [name, other] = read('KAFKA_TLS') === undefined ? ['KAFKA_SSL', 'KAFKA_TLS'] : ['KAFKA_TLS', 'KAFKA_SSL']
  if (read(name) !== undefined && read(other) !== undefined) throw wrong(other, `says the same as ${name}: set one of them`)
  const isOn = read(name) === undefined ? undefined : oneOf(name, read(name)?.toLowerCase() ?? '', ['true', 'false']) === 'true'
  const file = (part: string): string | undefined => {
    const variable = [`KAFKA_TLS_${part}_FILE`, `KAFKA_SSL_${part}_FILE`].find((each) => read(each) !== undefined)
    return variable === undefined ? undefined : readNow(variable, read(variable) ?? '')
  }
  const [ca, cert, key] = [file('CA'), file('CERT'), file('KEY')]
  if ((cert === undefined) !== (key === undefined)) throw wrong('KAFKA_TLS_CERT_FILE', 'and KAFKA_TLS_KEY_FILE belong together: set both or none')
  const files = { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) }
  if (Object.keys(files).length === 0) return isOn ?? false
  if (isOn === false) throw wrong(name, 'is false, but certificates are given: set it to true, or unset their files')
  return files
}

function saslOf(read: Read): KafkaSaslOptions | undefined {
  const [username, password, passwordFile, tokenFile] = ['USERNAME', 'PASSWORD', 'PASSWORD_FILE', 'TOKEN_FILE'].map((name) => read(`KAFKA_SASL_${name}`))
  const named = read('KAFKA_SASL_MECHANISM')
  if (named === undefined) {
    if (username === undefined && password === undefined && passwordFile === undefined && tokenFile === undefined) return undefined
    throw wrong('KAFKA_SASL_MECHANISM', `is missing, although credentials are set: name one of ${MECHANISMS.join(', ')}`)
  }
  const mechanism = oneOf('KAFKA_SASL_MECHANISM', named.toUpperCase(), MECHANISMS)
  if (mechanism === 'OAUTHBEARER') {
    if (tokenFile === undefined) throw wrong('KAFKA_SASL_TOKEN_FILE', 'is missing: OAUTHBEARER reads its token from there')
    return { mechanism, token: () => readAnew('KAFKA_SASL_TOKEN_FILE', tokenFile) }
  }
  if (username === undefined) throw wrong('KAFKA_SASL_USERNAME', `is missing: ${mechanism} needs it`)
  if (passwordFile !== undefined) return { mechanism, username, password: () => readAnew('KAFKA_SASL_PASSWORD_FILE', passwordFile) }
  if (password === undefined) throw wrong('KAFKA_SASL_PASSWORD', `is missing: ${mechanism} needs it, or KAFKA_SASL_PASSWORD_FILE`)
  return { mechanism, username, password }
}

function oneOf<Value extends string>(name: string, value: string, known: readonly Value[]): Value {
  const found = known.find((each) => each === value)
  if (found !== undefined) return found
  throw wrong(name, `must be one of ${known.join(', ')}`)
}

function readNow(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw wrong(name, 'names a file that can not be read', cause)
  }
}

/** For each connection, so that a secret that was changed counts from the next one on. */
async function readAnew(name: string, path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw wrong(name, 'names a file that can not be read', cause)
  }
}

function wrong(name: string, message: string, cause?: unknown): Error {
  const error = new ConfigurationError<MessagingErrorCode>(`${name} ${message}`, { code: 'ERR_MESSAGING_CONFIGURATION', cause, context: { variable: name } })
  markError(error, 'MessagingError')
  return error
}
