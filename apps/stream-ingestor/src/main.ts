import { createLogger } from '@smart-whale/core-logging'
import { InfrastructureError } from '@smart-whale/interfaces'
import { compose } from './compose.ts'
import { HELP, readCommand, readConfig } from './config.ts'
import { readPipelinesFile } from './read-pipelines-file.ts'

/** Longest that a stop may take: slices that are being written are finished within it. */
const STOP_DEADLINE_MS = 9000

async function run(): Promise<void> {
  const command = readCommand()
  if (command === 'help') return void process.stdout.write(`${HELP}\n`)
  const config = readConfig()
  if (command === 'check-config') {
    const definitions = await readPipelinesFile(config.PIPELINES_FILE)
    return void process.stdout.write(`the configuration is good: ${definitions.length} pipelines\n`)
  }
  const logger = createLogger({ level: config.LOG_LEVEL, service: 'stream-ingestor' })
  const fastify = await compose(config, logger)
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping')
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref()
    void fastify.close()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  const address = await fastify.listen({ host: config.HOST, port: config.PORT })
  logger.info({ address }, 'serving')
}

run().catch((error: unknown) => {
  const text = InfrastructureError.isInstance(error) ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`stream-ingestor: ${text}\n`)
  process.exitCode = 1
})
