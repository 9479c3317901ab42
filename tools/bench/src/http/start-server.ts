import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { OperationError } from '@smart-whale/interfaces'
import type { BenchEngines, Contender } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'
import { Callers } from './callers.ts'
import { type ServerConfig, serverEnvironment } from './server-config.ts'

const MAIN = join(import.meta.dirname, 'server-main.ts')
const REQUESTS_PER_REPEAT = 160

/** One request that every contender answers, and how to find the points in its answer. */
export interface Exchange {
  readonly path: string
  readonly body: string
  readonly pointsOf: (answer: unknown) => unknown
  readonly points: unknown
}

/** A contender in a process of its own: what it costs is nobody else's. */
export interface HttpContender extends Contender {
  stop(): Promise<void>
}

/** Starts a server of `server-main.ts` and makes it a contender. */
export async function startHttpContender(name: string, program: string, engines: BenchEngines, exchange: Exchange): Promise<HttpContender> {
  const { clickhouse, postgres } = engines
  const config: ServerConfig = { ...clickhouse, postgresUrl: postgres.url }
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', MAIN, program], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...serverEnvironment(config), NODE_ENV: 'production' } })
  const ended = once(child, 'exit')
  ended.catch(() => {})
  const { value, done } = (await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()) as IteratorResult<string, undefined>
  if (done === true || child.pid === undefined) throw new OperationError(`the server ${program} ended; what it printed says why`)
  const { port, headers } = JSON.parse(value) as { port: number; headers: Record<string, string> }
  const callers = await Callers.connect({ port, path: exchange.path, headers, body: exchange.body })
  return {
    name,
    operationsPerRepeat: REQUESTS_PER_REPEAT,
    pid: child.pid,
    run: (repeats) => callers.ask(repeats * REQUESTS_PER_REPEAT),
    verify: async () => requireEqual(name, exchange.pointsOf(JSON.parse(await callers.askOnce())), exchange.points),
    stop: async () => {
      callers.close()
      child.stdin.end()
      await ended
    },
  }
}
