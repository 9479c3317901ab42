import { runApp } from '@smart-whale/app-process'
import { createLogger } from '@smart-whale/core-logging'
import { compose } from './compose.ts'
import { HELP, readConfig } from './config.ts'
import { readPipelinesFile } from './read-pipelines-file.ts'

await runApp({
  name: 'stream-ingestor',
  help: HELP,
  readConfig: () => readConfig(),
  checkConfig: async ({ PIPELINES_FILE }) => `the configuration is good: ${(await readPipelinesFile(PIPELINES_FILE)).length} pipelines`,
  createLogger: ({ LOG_LEVEL }) => createLogger({ level: LOG_LEVEL, service: 'stream-ingestor' }),
  compose,
  address: ({ HOST, PORT }) => ({ host: HOST, port: PORT }),
})
