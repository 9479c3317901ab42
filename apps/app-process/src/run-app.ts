import type { FastifyInstance } from 'fastify'
import type { Logger } from '@smart-whale/interfaces'
import { explainFailure } from './explain-failure.ts'
import { type AppCommand, readCommand } from './read-command.ts'
import { serveApp } from './serve-app.ts'
import { stopSignal } from './stop-signal.ts'

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

/** Runs an app of one command, from its command line to its stop. Sets the exit code: 0 for a stop by signal, 1 for whatever went wrong. */
export async function runApp<Config>(app: AppDefinition<Config>, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  const stop = stopSignal()
  try {
    await run(app, readCommand(args), stop.signal)
  } catch (error) {
    process.stderr.write(`${app.name}: ${explainFailure(error)}\n`)
    process.exitCode = 1
  } finally {
    stop.dispose()
  }
}

async function run<Config>(app: AppDefinition<Config>, command: AppCommand, signal: AbortSignal): Promise<void> {
  if (command === 'help') return void process.stdout.write(`${app.help}\n`)
  const config = app.readConfig()
  if (command === 'check-config') return void process.stdout.write(`${await app.checkConfig(config)}\n`)
  const logger = app.createLogger(config)
  await serveApp({ logger, address: app.address(config), signal, compose: async () => ({ fastify: await app.compose(config, logger) }) })
}
