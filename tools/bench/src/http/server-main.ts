import { once } from 'node:events'
import { OperationError } from '@smart-whale/interfaces'
import { readServerConfig, type ServerConfig } from './server-config.ts'
import type { ListeningServer } from './servers.ts'

/** What a server may be: its first argument. Each loads only what it works with. */
const SERVERS: Readonly<Record<string, (config: ServerConfig) => Promise<ListeningServer>>> = {
  'bare-fastify': async () => (await import('./servers.ts')).bareFastify(),
  'analytics-api': async (config) => (await import('./analytics-api.ts')).analyticsApi(config),
  'graphql-js': async () => (await import('./servers.ts')).graphqlJs(),
  'graphql-layer': async (config) => (await import('./servers.ts')).graphqlLayer(config),
}

/** Serves until the standard input ends; says first where, and what callers must send. */
async function run(): Promise<void> {
  const start = SERVERS[process.argv[2] ?? '']
  if (start === undefined) throw new OperationError(`a server is one of ${Object.keys(SERVERS).join(', ')}`)
  const { port, headers, close } = await start(readServerConfig())
  process.stdout.write(`${JSON.stringify({ port, headers })}\n`)
  await once(process.stdin.resume(), 'end')
  await close()
}

await run()
