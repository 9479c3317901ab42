import { readFileSync } from 'node:fs'
import { MIN_SESSION_TIMEOUT_MS } from '../services/src/kafka/broker-properties.ts'
import { startKafka } from '../services/src/kafka/start-kafka.ts'
import { type FoundEngine, type RunningEngine, startIfPossible } from './found.ts'
import { findRunningService } from './running-service.ts'

/** Where tests find Apache Kafka. */
export interface TestKafka {
  /** `host:port` of each broker. */
  readonly brokers: readonly string[]
  /** Shortest session timeout that the brokers let a group member have, where that is known. */
  readonly minSessionTimeoutMs?: number
  /** Version of the brokers, where that is known. */
  readonly version?: string
  /** The same brokers over TLS, where they offer that. */
  readonly tls?: { readonly brokers: readonly string[]; readonly ca: string }
  /** The same brokers after a login by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, where they offer that. */
  readonly sasl?: KafkaLogin
  /** Both at once. */
  readonly saslTls?: KafkaLogin & { readonly ca: string }
}

/** A listener that wants a login. */
export interface KafkaLogin {
  readonly brokers: readonly string[]
  readonly username: string
  readonly password: string
}

type Variables = Readonly<Record<string, string | undefined>>

/** The brokers that the environment names. */
export function findTestKafka(env: Variables = process.env): FoundEngine<TestKafka> {
  const found = kafkaOf(env)
  return found === undefined ? { found: null, remedy: 'set KAFKA_BROKERS=host:port' } : { found }
}

/** The brokers that the environment names, else those that `npm run services -- up kafka` runs, else one of our own for this run: compiled quickly for tests, well for measurements. */
export async function startTestKafka({ isShortLived }: { isShortLived: boolean }): Promise<RunningEngine<TestKafka>> {
  const running = process.env.KAFKA_BROKERS ? undefined : kafkaOf(await findRunningService('kafka'))
  const named = running === undefined ? kafkaOf(process.env) : { ...running, minSessionTimeoutMs: MIN_SESSION_TIMEOUT_MS }
  if (named !== undefined) return { engine: { found: named }, stop: async () => {} }
  return startIfPossible('KAFKA_BROKERS=host:port', async () => {
    const { brokers, secured, users, certificate: ca, version, stop } = await startKafka({ isShortLived })
    const [user] = users
    const login = { username: user?.username ?? '', password: user?.password ?? '' }
    const { tls = [], sasl = [], saslTls = [] } = secured
    const address = { brokers, version, minSessionTimeoutMs: MIN_SESSION_TIMEOUT_MS, tls: { brokers: tls, ca }, sasl: { brokers: sasl, ...login }, saslTls: { brokers: saslTls, ...login, ca } }
    return { address, stop }
  })
}

/** What the variables say, each listener if it is whole. */
function kafkaOf(variables: Variables): TestKafka | undefined {
  const { KAFKA_BROKERS, KAFKA_TLS_BROKERS, KAFKA_SASL_BROKERS, KAFKA_SASL_TLS_BROKERS, KAFKA_USERNAME: username, KAFKA_PASSWORD: password, KAFKA_CA_FILE } = variables
  if (!KAFKA_BROKERS) return undefined
  const ca = KAFKA_CA_FILE ? readFileSync(KAFKA_CA_FILE, 'utf8') : undefined
  const login = username && password ? { username, password } : undefined
  return {
    brokers: KAFKA_BROKERS.split(','),
    ...(KAFKA_TLS_BROKERS && ca !== undefined && { tls: { brokers: KAFKA_TLS_BROKERS.split(','), ca } }),
    ...(KAFKA_SASL_BROKERS && login && { sasl: { brokers: KAFKA_SASL_BROKERS.split(','), ...login } }),
    ...(KAFKA_SASL_TLS_BROKERS && login && ca !== undefined && { saslTls: { brokers: KAFKA_SASL_TLS_BROKERS.split(','), ...login, ca } }),
  }
}
