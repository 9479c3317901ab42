import type { FastifyInstance } from 'fastify'
import type { Logger } from '@smart-whale/interfaces'
import { explainFailure } from './explain-failure.ts'
import { type Command, readCommand } from './read-command.ts'

/** What an app is, to {@link runApp}. */
export interface AppDefinition<Config> {
  /** For messages. */
  readonly name: string
  /** What `--help` prints. */
  readonly help: string
  readonly readConfig: () => Config
  /** What `--check-config` looks at beyond the configuration itself; answers the sentence to print. */
  readonly checkConfig: (config: Config) => Promise<string>
  readonly createLogger: (config: Config) => Logger
  /** Everything but listening; the instance's `close` stops all of it. */
  readonly compose: (config: Config, logger: Logger) => Promise<FastifyInstance>
  readonly address: (config: Config) => { host: string; port: number }
}

/** Longest that a stop may take; then the process ends as it is. */
const STOP_DEADLINE_MS = 9000

/** Runs an app from its command line to its stop. Sets the exit code: 0 for a stop by signal, 1 for whatever went wrong. */
export async function runApp<Config>(app: AppDefinition<Config>, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  try {
    await run(app, readCommand(args))
  } catch (error) {
    process.stderr.write(`${app.name}: ${explainFailure(error)}\n`)
    process.exitCode = 1
  }
}

async function run<Config>(app: AppDefinition<Config>, command: Command): Promise<void> {
  if (command === 'help') return void process.stdout.write(`${app.help}\n`)
  const config = app.readConfig()
  if (command === 'check-config') return void process.stdout.write(`${await app.checkConfig(config)}\n`)
  const logger = app.createLogger(config)
  const fastify = await app.compose(config, logger)
  stopOnSignal(fastify, logger)
  logger.info({ address: await fastify.listen(app.address(config)) }, 'serving')
}

function stopOnSignal(fastify: FastifyInstance, logger: Logger): void {
  let stopping = false
  const stop = (signal: string): void => {
    if (stopping) return
    stopping = true
    logger.info({ signal }, 'stopping')
    const deadline = setTimeout(() => process.exit(1), STOP_DEADLINE_MS)
    void fastify.close().finally(() => clearTimeout(deadline))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
}
