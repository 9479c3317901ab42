import { z } from 'zod'
import { type Environment, misspelt, type MisspeltVariable, type OtherNames, readEnvironment, readGivenFileSync, type TokenSource } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import { kafkaSettings, type KafkaSettings, kafkaVariables } from './kafka-config.ts'

const databaseUrl = z.url({ protocol: /^postgres(ql)?$/ })

const environmentSchema = z.object({
  ...kafkaVariables,
  PORT: z.coerce.number().int().min(0).max(65_535).default(4001),
  HOST: z.string().min(1).default('127.0.0.1'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  PIPELINES_FILE: z.string().min(1),
  HASH_KEYS_FILE: z.string().min(1).optional(),
  CLICKHOUSE_URL: z.url({ protocol: /^https?$/ }).optional(),
  CLICKHOUSE_DATABASE: z.string().min(1).default('default'),
  CLICKHOUSE_USER: z.string().min(1).default('default'),
  CLICKHOUSE_PASSWORD: z.string().default(''),
  CLICKHOUSE_PASSWORD_FILE: z.string().min(1).optional(),
  DATABASE_URL: databaseUrl.optional(),
  DATABASE_URL_FILE: z.string().min(1).optional(),
  BROKER_DIR: z.string().min(1).optional(),
  AUTH_JWKS_FILE: z.string().min(1).optional(),
  AUTH_ISSUER: z.string().min(1).optional(),
  AUTH_AUDIENCE: z.string().min(1).default('smart-whale'),
  STALL_SECONDS: z.coerce.number().int().min(1).max(86_400).default(60),
  SLICE_MEGABYTES: z.coerce.number().int().min(1).max(16_384).default(8),
  DATA_REQUESTS: z.enum(['on', 'off']).default('off'),
  DATA_REQUESTS_GROUP: z.string().min(1).max(200).default('smart-whale-ingestor'),
})

/** Everything that the ingestor is told from outside. */
export interface IngestorConfig {
  /** What to take in. @default none, required */
  readonly pipelinesFile: string
  /** Keys of `hash` steps, by the name that the steps have for them. @default {} */
  readonly hashKeys: Readonly<Record<string, string>>
  /** Where to serve. @default 127.0.0.1:4001 */
  readonly http: { readonly host: string; readonly port: number }
  /** From which level on lines are logged. @default 'info' */
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Brokers of a Kafka cluster, or the folder of the built-in one. */
  readonly broker: { readonly kafka: KafkaSettings } | { readonly dataDir: string }
  /** Null when no pipeline may write to ClickHouse. */
  readonly clickhouse: { readonly url: string; readonly database: string; readonly user: string; readonly password: string } | null
  /** Null when no pipeline may write to PostgreSQL; the ledger is then kept by the broker. */
  readonly databaseUrl: string | null
  /** Whose tokens are taken; null takes none, and serves nothing that needs one. */
  readonly tokens: TokenSource | null
  /** How long a pipeline that has something to do may stand still before it isn't ready. */
  readonly stallMs: number
  /** What the slices of all pipelines may hold together, in bytes. */
  readonly sliceBytes: number
  /** Group that answers data requests; null answers none. */
  readonly dataRequestsGroup: string | null
}

/** What `--help` tells of the environment. */
export const HELP = `Environment (required ones marked *):
  PIPELINES_FILE*                  what to take in: JSON, or a module
  HASH_KEYS_FILE                   keys of its hash steps: JSON, { "<name>": "<key>" }

  Where messages come from, one of the two*:
  KAFKA_BROKERS                    brokers of a Kafka cluster: host:port,host:port
  BROKER_DIR                       folder of the built-in broker's log; one process to a folder

  KAFKA_TRANSPORT                  library that makes the connections: kafkajs or platformatic (kafkajs)
  KAFKA_CLIENT_ID                  our name in the brokers' logs and quotas (smart-whale-ingestor)
  KAFKA_REPLICATION                copies of topics that we make (3, or as many as there are brokers)
  KAFKA_COMPRESSION                of what we send: none or gzip (none)
  KAFKA_SESSION_TIMEOUT_MS         how long a worker that fell silent keeps its partitions (10000)
  KAFKA_TLS                        true encrypts connections (false)
  KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY_FILE
                                   PEM files: a private authority; our certificate and key
  KAFKA_SASL_MECHANISM             PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER
  KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD
  KAFKA_SASL_PASSWORD_FILE, KAFKA_SASL_TOKEN_FILE
                                   read anew for each connection, so that the secret may change

  Where rows go, each needed when a pipeline has that sink:
  CLICKHOUSE_URL                   http(s)://host:8123
  CLICKHOUSE_USER                  a user who may create tables and insert (default)
  CLICKHOUSE_PASSWORD, CLICKHOUSE_PASSWORD_FILE, CLICKHOUSE_DATABASE
  DATABASE_URL, DATABASE_URL_FILE  postgres://user:password@host:5432/database; keeps the ledger as well

  AUTH_JWKS_FILE, AUTH_ISSUER      public keys (JWK set) and issuer of the access tokens; without them
                                   nothing is served that needs one: no ingest by HTTP, no metrics
  AUTH_AUDIENCE                    smart-whale
  STALL_SECONDS                    how long a pipeline that lags may stand still and be ready (60)
  SLICE_MEGABYTES                  messages that may be on their way into the stores, of all pipelines; a worker
                                   takes about three times as much memory for them (8)
  DATA_REQUESTS                    on answers the topic smartwhale.data.requests (off)
  DATA_REQUESTS_GROUP              group that shares the requests (smart-whale-ingestor)
  PORT, HOST                       where to serve (4001, 127.0.0.1; HOST=0.0.0.0 in a container)
  LOG_LEVEL                        trace, debug, info, warn, error, fatal or silent (info)`

/** What this process is told from outside; nothing else of this app asks for it. */
export function processEnvironment(): Environment {
  return process.env
}

/** Names that other programs have for the same. */
const ELSEWHERE: OtherNames = {
  KAFKA_BOOTSTRAP_SERVERS: 'KAFKA_BROKERS',
  KAFKA_BOOTSTRAP_SERVER: 'KAFKA_BROKERS',
  CLICKHOUSE_HOST: 'CLICKHOUSE_URL',
  CLICKHOUSE_USERNAME: 'CLICKHOUSE_USER',
  CLICKHOUSE_DB: 'CLICKHOUSE_DATABASE',
}

/** Variables that are set and not read, but look like one that is. */
export function misspeltVariables(environment: Environment): readonly MisspeltVariable[] {
  return misspelt(environment, Object.keys(environmentSchema.shape), ELSEWHERE)
}

/** Reads an environment. @throws ConfigurationError naming each variable that is wrong, never its value */
export function readConfig(environment: Environment): IngestorConfig {
  try {
    return configOf(readEnvironment(environmentSchema, environment))
  } catch (error) {
    const unread = misspeltVariables(environment).map(({ name, meant }) => `; ${name} is set, and nothing reads it: did you mean ${meant}?`)
    if (unread.length === 0 || !ConfigurationError.isInstance(error)) throw error
    throw new ConfigurationError(`${error.message}${unread.join('')}`, { cause: error })
  }
}

type Variables = z.output<typeof environmentSchema>

function configOf(variables: Variables): IngestorConfig {
  return {
    pipelinesFile: variables.PIPELINES_FILE,
    hashKeys: hashKeysOf(variables),
    http: { host: variables.HOST, port: variables.PORT },
    logLevel: variables.LOG_LEVEL,
    broker: brokerOf(variables),
    clickhouse: clickhouseOf(variables),
    databaseUrl: databaseUrlOf(variables),
    tokens: tokensOf(variables),
    stallMs: variables.STALL_SECONDS * 1000,
    sliceBytes: variables.SLICE_MEGABYTES * 1024 * 1024,
    dataRequestsGroup: variables.DATA_REQUESTS === 'on' ? variables.DATA_REQUESTS_GROUP : null,
  }
}

function brokerOf(variables: Variables): IngestorConfig['broker'] {
  const { KAFKA_BROKERS: brokers, BROKER_DIR: dataDir } = variables
  if (brokers !== undefined && dataDir !== undefined) throw new ConfigurationError('KAFKA_BROKERS and BROKER_DIR exclude each other; set the one where messages are')
  const kafka = kafkaSettings(variables)
  if (kafka !== null) return { kafka }
  if (dataDir !== undefined) return { dataDir }
  throw new ConfigurationError('nothing says where messages come from: set KAFKA_BROKERS=host:port, or BROKER_DIR for the built-in broker')
}

function clickhouseOf(variables: Variables): IngestorConfig['clickhouse'] {
  const { CLICKHOUSE_URL: url, CLICKHOUSE_DATABASE: database, CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD_FILE: file } = variables
  const password = file === undefined ? variables.CLICKHOUSE_PASSWORD : readGivenFileSync('CLICKHOUSE_PASSWORD_FILE', file).trim()
  return url === undefined ? null : { url, database, user, password }
}

const hashKeys = z.record(z.string().min(1), z.string().min(16))

/** The message never tells what the file holds. */
function hashKeysOf({ HASH_KEYS_FILE: file }: Variables): Readonly<Record<string, string>> {
  if (file === undefined) return {}
  try {
    return hashKeys.parse(JSON.parse(readGivenFileSync('HASH_KEYS_FILE', file)))
  } catch (error) {
    if (ConfigurationError.isInstance(error)) throw error
    throw new ConfigurationError(`HASH_KEYS_FILE: ${file} must hold a JSON object of names and keys, each key a text of 16 characters at least`)
  }
}

function databaseUrlOf({ DATABASE_URL: url, DATABASE_URL_FILE: file }: Variables): string | null {
  if (url !== undefined || file === undefined) return url ?? null
  const read = databaseUrl.safeParse(readGivenFileSync('DATABASE_URL_FILE', file).trim())
  if (read.success) return read.data
  throw new ConfigurationError(`DATABASE_URL_FILE: what ${file} holds is no address: postgres://user:password@host:5432/database`)
}

function tokensOf({ AUTH_JWKS_FILE, AUTH_ISSUER, AUTH_AUDIENCE }: Variables): TokenSource | null {
  if (AUTH_JWKS_FILE === undefined && AUTH_ISSUER === undefined) return null
  if (AUTH_JWKS_FILE === undefined) throw new ConfigurationError('AUTH_JWKS_FILE is missing: AUTH_ISSUER is set, and its keys are needed to check tokens')
  if (AUTH_ISSUER === undefined) throw new ConfigurationError('AUTH_ISSUER is missing: AUTH_JWKS_FILE is set, and a token is taken from its issuer alone')
  return { AUTH_JWKS_FILE, AUTH_ISSUER, AUTH_AUDIENCE }
}
