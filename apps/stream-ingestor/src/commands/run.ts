import { type Command, EXIT, serveApp } from '@smart-whale/app-process'
import { createLogger } from '@smart-whale/core-logging'
import { compose } from '../compose.ts'
import { readConfig } from '../config.ts'
import { refuseMissingStores } from '../open-stores.ts'
import { readPipelinesFile } from '../read-pipelines-file.ts'

/** Takes events in until the process is asked to stop. */
export const run: Command = {
  name: 'run',
  summary: 'Takes events in until it is asked to stop',
  usage: '[--check-config]',
  help: `  --check-config   look at the environment and the pipelines file, and leave; "check" looks at brokers and tables too

SIGTERM and SIGINT stop it: slices that are being written are finished, within 9 seconds.

Exit codes: 0 stopped as asked; 1 it broke, or the stop took too long; 2 the configuration is wrong.`,
  options: { 'check-config': { type: 'boolean' } },
  maxPositionals: 0,
  run: async ({ values, signal, print }) => {
    const config = readConfig()
    if (values['check-config'] === true) {
      const definitions = await readPipelinesFile(config.pipelinesFile)
      refuseMissingStores(definitions, config)
      print(`the configuration is good: ${definitions.length} pipelines`)
      return EXIT.ok
    }
    const logger = createLogger({ level: config.logLevel, service: 'stream-ingestor' })
    await serveApp({ logger, address: config.http, signal, compose: (stopped) => compose(config, logger, stopped) })
    await logger.flush()
    return EXIT.ok
  },
}
