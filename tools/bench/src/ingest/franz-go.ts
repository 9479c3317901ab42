import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { OperationError } from '@smart-whale/interfaces'
import type { BenchEngines } from '../hot-path.ts'
import type { KafkaSource } from './kafkajs-consumers.ts'

const SOURCE = join(import.meta.dirname, '../../franz-go')
const CACHE = join(import.meta.dirname, '../../../../node_modules/.cache/smart-whale-bench')
const BUILD_TIMEOUT_MS = 600_000

/** A program of its own, which consumes as many events as it is told. */
export interface FranzGo {
  readonly pid: number
  consume(events: number): Promise<void>
  stop(): Promise<void>
}

/** Builds the program with the Go of this machine, once for each state of its sources; null where there is no Go. */
export async function buildFranzGo(): Promise<string | null> {
  const run = promisify(execFile)
  if (await run('go', ['version']).then(() => false, () => true)) return null
  const sources = await Promise.all(['main.go', 'go.mod', 'go.sum'].map((name) => readFile(join(SOURCE, name))))
  const program = join(CACHE, `franz-go-${createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 16)}`)
  await mkdir(CACHE, { recursive: true })
  await run('go', ['build', '-o', program, '.'], { cwd: SOURCE, timeout: BUILD_TIMEOUT_MS })
  return program
}

/** Starts the program; its first line says that it is ready. */
export async function startFranzGo(program: string, { brokers, topic }: KafkaSource, events: number, { url, username, password }: BenchEngines['clickhouse'], table: string): Promise<FranzGo> {
  const child = spawn(program, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { BENCH_BROKERS: brokers.join(), BENCH_TOPIC: topic, BENCH_LENGTH: String(events), BENCH_CLICKHOUSE: url, BENCH_USER: username, BENCH_PASSWORD: password, BENCH_TABLE: table },
  })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<void> => {
    const { done } = await lines.next()
    if (done === true) throw new OperationError('the franz-go program ended; what it printed says why')
  }
  await answer()
  return {
    pid: pidOf(child),
    consume: async (count) => {
      child.stdin.write(`${count}\n`)
      await answer()
    },
    stop: async () => {
      child.stdin.end()
      await ended
    },
  }
}

function pidOf({ pid }: ChildProcess): number {
  if (pid !== undefined) return pid
  throw new OperationError('the franz-go program could not be started')
}
