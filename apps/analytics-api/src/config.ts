import { z } from 'zod'
import { type Environment, readEnvironment } from '@smart-whale/app-process'
import type { RedisConfig } from '@smart-whale/core-cache/redis'
import { levelsFromFile, splitAddresses, type TrustLevel } from '@smart-whale/clickhouse'
import { MAX_ESTIMATED_ROWS } from './create-analytics-api.ts'
import { areRedisServers, redisFromEnvironment } from './redis-from-environment.ts'

const port = z.coerce.number().int().min(0).max(65_535)

/** One address or several: `http://a:8123,b:8123/database`. */
function areClickHouseServers(text: string): boolean {
  return splitAddresses(text).every((address) => /^https?:\/\//.test(address) && URL.canParse(address))
}

const environmentSchema = z.object({
  PORT: port.default(4000),
  HOST: z.string().min(1).default('127.0.0.1'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  CLICKHOUSE_URL: z.string().refine(areClickHouseServers, 'must be an address like http://host:8123, or several with commas between'),
  CLICKHOUSE_DATABASE: z.string().min(1).default('default'),
  CLICKHOUSE_USER: z.string().min(1),
  CLICKHOUSE_PASSWORD: z.string().default(''),
  CLICKHOUSE_ACCESS_FILE: z.string().min(1).optional(),
  REDIS_URL: z.string().refine(areRedisServers, 'must be an address like redis://host:6379, or several with commas between').optional(),
  REDIS_SENTINEL: z.string().min(1).optional(),
  REDIS_PREFIX: z.string().regex(/^[^{}\s*?[\]\\]+$/, 'must be a text without spaces, braces, brackets, *, ? and \\').default('smart-whale'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  AUTH_JWKS_FILE: z.string().min(1),
  AUTH_ISSUER: z.string().min(1),
  AUTH_AUDIENCE: z.string().min(1).default('smart-whale'),
  TABLES: z
    .string()
    .default('')
    .transform((text) => text.split(',').map((name) => name.trim()).filter((name) => name !== '')),
  METRICS_FILE: z.string().min(1).optional(),
  INGESTOR_URL: z.url({ protocol: /^https?$/ }).optional(),
  GRAPHQL_MAX_ESTIMATED_ROWS: z.coerce.number().int().min(0).default(MAX_ESTIMATED_ROWS),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
})

/** Everything that the API is told from outside. */
export interface AnalyticsApiConfig extends z.infer<typeof environmentSchema> {
  /** Trust levels by name, from `CLICKHOUSE_ACCESS_FILE`; null runs every query as `CLICKHOUSE_USER`. */
  readonly levels: Readonly<Record<string, TrustLevel>> | null
  /** Where answers are kept and quotas counted for all replicas; null for each replica by itself. */
  readonly redis: RedisConfig | null
}

/** What `--help` prints. */
export const HELP = `Smart Whale analytics API: REST, GraphQL and a live page over ClickHouse and PostgreSQL.

  --check-config   check the environment, then leave
  --help           print this

Environment (required ones marked *):
  PORT, HOST                              where to serve (4000, 127.0.0.1; HOST=0.0.0.0 in a container)
  CLICKHOUSE_URL*, CLICKHOUSE_USER*       a read-only user: it runs what callers send; several servers as http://a:8123,b:8123
  CLICKHOUSE_PASSWORD, CLICKHOUSE_DATABASE
  CLICKHOUSE_ACCESS_FILE                  trust levels (JSON): queries run as the user of the caller's level, tenants apart
  REDIS_URL                               answers and quotas for all replicas: redis://host:6379, several with commas between for a cluster
  REDIS_SENTINEL                          the addresses are Sentinels, and this is what they call the master
  REDIS_PREFIX                            what all keys there begin with: another one where CLICKHOUSE_USER may see other rows (smart-whale)
  DATABASE_URL*                           postgres://user:password@host:5432/database
  AUTH_JWKS_FILE*, AUTH_ISSUER*           public keys (JWK set) and issuer of the access tokens
  AUTH_AUDIENCE                           smart-whale
  TABLES                                  tables that the live page counts, with commas between
  METRICS_FILE                            metrics by name and their rollups (YAML or JSON)
  GRAPHQL_MAX_ESTIMATED_ROWS              rows that one request's queries may read together, as estimated (1000000000; 0 for any number)
  INGESTOR_URL                            where the ingestor answers, for the live page
  PUBLIC_URL                              address that callers use, for the API reference
  LOG_LEVEL                               trace, debug, info, warn, error, fatal or silent (info)`

/** Reads the environment; the only place of this app that does. @throws ConfigurationError naming each variable that is wrong, never its value */
export function readConfig(environment: Environment = process.env): AnalyticsApiConfig {
  const settings = readEnvironment(environmentSchema, environment)
  const redis = redisFromEnvironment(settings)
  return { ...settings, redis, levels: settings.CLICKHOUSE_ACCESS_FILE === undefined ? null : levelsFromFile(environment) }
}
