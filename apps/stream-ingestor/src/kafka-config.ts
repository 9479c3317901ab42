import { z } from 'zod'
import { readGivenFile, readGivenFileSync } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import type { KafkaConnectionOptions, KafkaSaslOptions } from '@smart-whale/messaging/platformatic'

const brokerList = z
  .string()
  .transform((text) => text.split(',').map((broker) => broker.trim()).filter((broker) => broker !== ''))
  .refine((brokers) => brokers.length > 0, 'must name one broker at least: host:port')

/** The variables of the environment that say how a Kafka cluster is reached. */
export const kafkaVariables = {
  KAFKA_BROKERS: brokerList.optional(),
  KAFKA_TRANSPORT: z.enum(['kafkajs', 'platformatic']).default('kafkajs'),
  KAFKA_CLIENT_ID: z.string().min(1).max(255).default('smart-whale-ingestor'),
  KAFKA_REPLICATION: z.coerce.number().int().min(1).max(100).optional(),
  KAFKA_COMPRESSION: z.enum(['none', 'gzip']).default('none'),
  KAFKA_SESSION_TIMEOUT_MS: z.coerce.number().int().min(1000).max(300_000).default(10_000),
  KAFKA_TLS: z.enum(['true', 'false']).optional(),
  KAFKA_TLS_CA_FILE: z.string().min(1).optional(),
  KAFKA_TLS_CERT_FILE: z.string().min(1).optional(),
  KAFKA_TLS_KEY_FILE: z.string().min(1).optional(),
  KAFKA_SASL_MECHANISM: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']).optional(),
  KAFKA_SASL_USERNAME: z.string().min(1).optional(),
  KAFKA_SASL_PASSWORD: z.string().min(1).optional(),
  KAFKA_SASL_PASSWORD_FILE: z.string().min(1).optional(),
  KAFKA_SASL_TOKEN_FILE: z.string().min(1).optional(),
}

type KafkaVariables = z.output<z.ZodObject<typeof kafkaVariables>>

/** How a Kafka cluster is reached. */
export interface KafkaSettings {
  /** Whose connections are used. @default 'kafkajs' */
  readonly library: 'kafkajs' | 'platformatic'
  /** Brokers, TLS and who we are. @default none, required */
  readonly connection: KafkaConnectionOptions
  /** Of what is sent. @default 'none' */
  readonly compression: 'none' | 'gzip'
  /** How long a worker that fell silent keeps its partitions. */
  readonly sessionTimeoutMs: number
  /** Copies of topics that are made; undefined makes as many as are usual. */
  readonly replication: number | undefined
}

/** Null when the environment names no brokers. @throws ConfigurationError naming the variables that don't go together */
export function kafkaSettings(variables: KafkaVariables): KafkaSettings | null {
  const { KAFKA_BROKERS: brokers, KAFKA_CLIENT_ID: clientId, KAFKA_TRANSPORT: library, KAFKA_COMPRESSION: compression, KAFKA_REPLICATION: replication, KAFKA_SESSION_TIMEOUT_MS: sessionTimeoutMs } = variables
  if (brokers === undefined) return null
  return { library, compression, sessionTimeoutMs, replication, connection: { brokers, clientId, tls: tlsOf(variables), sasl: saslOf(variables) } }
}

function tlsOf(variables: KafkaVariables): KafkaConnectionOptions['tls'] {
  const { KAFKA_TLS: tls, KAFKA_TLS_CA_FILE: ca, KAFKA_TLS_CERT_FILE: cert, KAFKA_TLS_KEY_FILE: key } = variables
  const hasFiles = ca !== undefined || cert !== undefined || key !== undefined
  if (tls === 'false' && hasFiles) throw new ConfigurationError('KAFKA_TLS is false, but certificates are given; unset KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE, or set KAFKA_TLS=true')
  if ((cert === undefined) !== (key === undefined)) throw new ConfigurationError('KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE belong together; set both or none')
  if (!hasFiles) return tls === 'true'
  return { ...(ca !== undefined && { ca: pem('KAFKA_TLS_CA_FILE', ca) }), ...(cert !== undefined && { cert: pem('KAFKA_TLS_CERT_FILE', cert) }), ...(key !== undefined && { key: pem('KAFKA_TLS_KEY_FILE', key) }) }
}

/** A certificate or key. Node passes over what is none in silence, and the connection would fail without a reason. */
function pem(variable: string, path: string): string {
  const text = readGivenFileSync(variable, path)
  if (/-----BEGIN [A-Z0-9 ]+-----/.test(text)) return text
  throw new ConfigurationError(`${variable}: ${path} holds nothing in PEM form (-----BEGIN …)`)
}

function saslOf(variables: KafkaVariables): KafkaSaslOptions | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD_FILE: passwordFile, KAFKA_SASL_TOKEN_FILE: tokenFile } = variables
  if (mechanism === undefined) {
    if (username === undefined) return undefined
    throw new ConfigurationError('KAFKA_SASL_MECHANISM is missing: KAFKA_SASL_USERNAME is set; name PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512')
  }
  if (mechanism === 'OAUTHBEARER') {
    if (tokenFile === undefined) throw new ConfigurationError('KAFKA_SASL_TOKEN_FILE is missing: KAFKA_SASL_MECHANISM=OAUTHBEARER reads its token from there')
    return { mechanism, token: secretFrom('KAFKA_SASL_TOKEN_FILE', tokenFile) }
  }
  if (username === undefined) throw new ConfigurationError(`KAFKA_SASL_USERNAME is missing: ${mechanism} needs it`)
  const password = passwordFile === undefined ? variables.KAFKA_SASL_PASSWORD : secretFrom('KAFKA_SASL_PASSWORD_FILE', passwordFile)
  if (password === undefined) throw new ConfigurationError(`KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE is missing: ${mechanism} needs it`)
  return { mechanism, username, password }
}

/** Read for each connection, so that a secret that is changed counts from the next one on; once at the start as well, to tell at once what is wrong with the file. */
function secretFrom(variable: string, path: string): () => Promise<string> {
  if (readGivenFileSync(variable, path).trim() === '') throw new ConfigurationError(`${variable}: ${path} is empty`)
  return async () => (await readGivenFile(variable, path)).trim()
}
