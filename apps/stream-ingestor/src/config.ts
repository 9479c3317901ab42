import { parseArgs } from 'node:util'
import { z } from 'zod'
import { ConfigurationError } from '@smart-whale/interfaces'

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
export function readConfig(environment: Readonly<Record<string, string | undefined>> = process.env): IngestorConfig {
  const result = environmentSchema.safeParse(environment)
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => `${issue.path.join('.')} ${environment[String(issue.path[0])] === undefined ? 'is missing' : `is wrong: ${issue.message}`}`)
  throw new ConfigurationError(`the environment is not complete: ${issues.join('; ')}; --help explains each`)
}
