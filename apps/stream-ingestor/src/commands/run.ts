import { type Command, type CommandCall, EXIT, guardFromKeys, serveApp } from '@smart-whale/app-process'
import { createLogger } from '@smart-whale/core-logging'
import { compose } from '../compose.ts'
import { type IngestorConfig, misspeltVariables, readConfig } from '../config.ts'
import { refuseMissingStores } from '../open-stores.ts'
import { readPipelinesFile } from '../read-pipelines-file.ts'
import { count } from './words.ts'

/** Takes events in until the process is asked to stop. */
export const run: Command = {
  name: 'run',
  summary: 'Takes events in until it is asked to stop',
  usage: '[--check-config]',
  help: `  --check-config   look at the environment and the files that it names, and leave; "check" looks at brokers and tables too

SIGTERM and SIGINT stop it: slices that are being written are finished, within 9 seconds. A second Ctrl-C ends it at once; the next start repeats
what was under way, and nothing is lost or doubled by that. Logs are lines of JSON on standard output.`,
  examples: [
    ['', 'as its environment says'],
    ['--check-config', 'in an image that is being built, where there is no broker'],
  ],
  exits: { 0: 'stopped as asked', 3: 'a table or topic is not as declared, and nothing was begun; "check" says the same' },
  options: { 'check-config': { type: 'boolean' } },
  maxPositionals: 0,
  run: async (call) => {
    const { values, environment, signal } = call
    const config = readConfig(environment)
    if (values['check-config'] === true) return checkConfig(config, call)
    const logger = createLogger({ level: config.logLevel, service: 'stream-ingestor' })
    for (const { name, meant } of misspeltVariables(environment)) logger.warn({ variable: name, meant }, `${name} is set, and nothing reads it: did you mean ${meant}?`)
    await serveApp({ logger, address: config.http, signal, compose: (stopped) => compose(config, logger, stopped) })
    await logger.flush()
    return EXIT.ok
  },
}

async function checkConfig(config: IngestorConfig, { environment, print }: CommandCall): Promise<number> {
  const definitions = await readPipelinesFile(config.pipelinesFile, config)
  refuseMissingStores(definitions, config)
  if (config.tokens !== null) await guardFromKeys(config.tokens)
  for (const { name, meant } of misspeltVariables(environment)) print(`warning: ${name} is set, and nothing reads it: did you mean ${meant}?`)
  print(`the configuration is good: ${count(definitions.length, 'pipeline')}`)
  return EXIT.ok
}
