import { parseArgs } from 'node:util'
import { z } from 'zod'
import { ConfigurationError } from '@smart-whale/interfaces'

const port = z.coerce.number().int().min(0).max(65_535)

const environmentSchema = z.object({
  PORT: port.default(4000),
  HOST: z.string().min(1).default('127.0.0.1'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  CLICKHOUSE_URL: z.url({ protocol: /^https?$/ }),
  CLICKHOUSE_DATABASE: z.string().min(1).default('default'),
  CLICKHOUSE_USER: z.string().min(1),
  CLICKHOUSE_PASSWORD: z.string().default(''),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  AUTH_JWKS_FILE: z.string().min(1),
  AUTH_ISSUER: z.string().min(1),
  AUTH_AUDIENCE: z.string().min(1).default('smart-whale'),
  TABLES: z
    .string()
    .default('')
    .transform((text) => text.split(',').map((name) => name.trim()).filter((name) => name !== '')),
  INGESTOR_URL: z.url({ protocol: /^https?$/ }).optional(),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
})

/** Everything that the API is told from outside. */
export type AnalyticsApiConfig = z.infer<typeof environmentSchema>

/** What `--help` prints. */
export const HELP = `Smart Whale analytics API: REST, GraphQL and a live page over ClickHouse and PostgreSQL.

  --check-config   check the environment, then leave
  --help           print this

Environment (required ones marked *):
  PORT, HOST                              where to serve (4000, 127.0.0.1; HOST=0.0.0.0 in a container)
  CLICKHOUSE_URL*, CLICKHOUSE_USER*       a read-only user: it runs what callers send
  CLICKHOUSE_PASSWORD, CLICKHOUSE_DATABASE
  DATABASE_URL*                           postgres://user:password@host:5432/database
  AUTH_JWKS_FILE*, AUTH_ISSUER*           public keys (JWK set) and issuer of the access tokens
  AUTH_AUDIENCE                           smart-whale
  TABLES                                  tables that the live page counts, with commas between
  INGESTOR_URL                            where the ingestor answers, for the live page
  PUBLIC_URL                              address that callers use, for the API reference
  LOG_LEVEL                               trace, debug, info, warn, error, fatal or silent (info)`

/** What the command line asks for. */
export type Command = 'run' | 'check-config' | 'help'

/** Reads the command line. @throws ConfigurationError naming the option that is wrong */
export function readCommand(args: readonly string[] = process.argv.slice(2)): Command {
  try {
    const { values } = parseArgs({ args: [...args], options: { help: { type: 'boolean' }, 'check-config': { type: 'boolean' } }, strict: true })
    return values.help ? 'help' : values['check-config'] ? 'check-config' : 'run'
  } catch (error) {
    throw new ConfigurationError(`${(error as Error).message.split('. ')[0]}; --help lists the options`, { cause: error })
  }
}

/** Reads the environment; the only place of this app that does. @throws ConfigurationError naming each variable that is wrong, never its value */
export function readConfig(environment: Readonly<Record<string, string | undefined>> = process.env): AnalyticsApiConfig {
  const result = environmentSchema.safeParse(environment)
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => `${issue.path.join('.')} ${environment[String(issue.path[0])] === undefined ? 'is missing' : `is wrong: ${issue.message}`}`)
  throw new ConfigurationError(`the environment is not complete: ${issues.join('; ')}; --help explains each`)
}
