import { z } from 'zod'
import { type Environment, readEnvironment } from '@smart-whale/app-process'

const environmentSchema = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(4001),
  HOST: z.string().min(1).default('127.0.0.1'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  PIPELINES_FILE: z.string().min(1),
  CLICKHOUSE_URL: z.url({ protocol: /^https?$/ }),
  CLICKHOUSE_DATABASE: z.string().min(1).default('default'),
  CLICKHOUSE_USER: z.string().min(1),
  CLICKHOUSE_PASSWORD: z.string().default(''),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  BROKER_DIR: z.string().min(1),
  AUTH_JWKS_FILE: z.string().min(1),
  AUTH_ISSUER: z.string().min(1),
  AUTH_AUDIENCE: z.string().min(1).default('smart-whale'),
})

/** Everything that the ingestor is told from outside. */
export type IngestorConfig = z.infer<typeof environmentSchema>

/** What `--help` prints. */
export const HELP = `Smart Whale stream ingestor: topics into ClickHouse and TimescaleDB, each event exactly once.

  --check-config   check the environment and the pipelines file, then leave
  --help           print this

Environment (required ones marked *):
  PIPELINES_FILE*                         what to take in: JSON, or a module
  BROKER_DIR*                             folder of the built-in broker's log
  CLICKHOUSE_URL*, CLICKHOUSE_USER*       a user who may create tables and insert
  CLICKHOUSE_PASSWORD, CLICKHOUSE_DATABASE
  DATABASE_URL*                           postgres://user:password@host:5432/database
  AUTH_JWKS_FILE*, AUTH_ISSUER*           public keys (JWK set) and issuer of the access tokens
  AUTH_AUDIENCE                           smart-whale
  PORT, HOST                              where to serve (4001, 127.0.0.1; HOST=0.0.0.0 in a container)
  LOG_LEVEL                               trace, debug, info, warn, error, fatal or silent (info)`

/** Reads the environment; the only place of this app that does. @throws ConfigurationError naming each variable that is wrong, never its value */
export function readConfig(environment: Environment = process.env): IngestorConfig {
  return readEnvironment(environmentSchema, environment)
}
