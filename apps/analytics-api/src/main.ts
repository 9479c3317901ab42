import { runApp } from '@smart-whale/app-process'
import { createLogger } from '@smart-whale/core-logging'
import { compose } from './compose.ts'
import { HELP, readConfig } from './config.ts'

await runApp({
  name: 'analytics-api',
  help: HELP,
  readConfig: () => readConfig(),
  checkConfig: async () => 'the configuration is good',
  createLogger: ({ LOG_LEVEL }) => createLogger({ level: LOG_LEVEL, service: 'analytics-api' }),
  compose,
  address: ({ HOST, PORT }) => ({ host: HOST, port: PORT }),
})
