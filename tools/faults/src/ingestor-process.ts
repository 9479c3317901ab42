import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { COMPILED_PROGRAMS } from '../../engines/compiled-programs.ts'
import { CONTAINER_ARGUMENTS, CONTAINER_ENVIRONMENT } from '../../engines/container-flags.ts'

/** A stream ingestor in a process of its own, as in production. */
export interface IngestorProcess {
  readonly pid: number
  /** Resolves with its address when it serves. */
  readonly serving: Promise<string>
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly afterMs: number }>
  /** Lines that it logged and that hold this text. */
  logged(text: string): number
  /** Those lines. */
  linesWith(text: string): readonly string[]
  /** The end of what it printed, for messages. */
  output(): string
  kill(signal: NodeJS.Signals): void
  /** Resident memory in MiB. */
  residentMiB(): Promise<number>
  /** Memory that it shares with no other process, in MiB. */
  ownMiB(): Promise<number>
}

const MAIN = join(import.meta.dirname, '../../../apps/stream-ingestor/src/main.ts')
const KEPT_CHARACTERS = 20_000

/** Starts one; the caller ends it. */
export function startIngestor(environment: Readonly<Record<string, string>>): IngestorProcess {
  // With the flags that its container has.
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', ...CONTAINER_ARGUMENTS, MAIN, 'run'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...CONTAINER_ENVIRONMENT, PORT: '0', LOG_LEVEL: 'info', ...COMPILED_PROGRAMS, ...environment },
  })
  const lines: string[] = []
  let tail = ''
  let killedAt = performance.now()
  const take = (chunk: Buffer): void => {
    tail = (tail + chunk.toString()).slice(-KEPT_CHARACTERS)
    lines.push(...chunk.toString().split('\n'))
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null; afterMs: number }>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal, afterMs: performance.now() - killedAt })),
  )
  return {
    pid: child.pid as number,
    serving: addressOf(child, () => tail),
    exited,
    logged: (text) => lines.filter((line) => line.includes(text)).length,
    linesWith: (text) => lines.filter((line) => line.includes(text)),
    output: () => tail.slice(-2000),
    kill: (signal) => {
      killedAt = performance.now()
      child.kill(signal)
    },
    residentMiB: () => residentMiB(child.pid as number),
    ownMiB: () => ownMiB(child.pid as number),
  }
}

function addressOf(child: ChildProcess, printed: () => string): Promise<string> {
  const address = new Promise<string>((resolve, reject) => {
    const look = (): void => {
      const found = /"address":"(http:[^"]+)"/.exec(printed())?.[1]
      if (found !== undefined) resolve(found)
    }
    child.stdout?.on('data', look)
    child.once('exit', (code, signal) => reject(new TypeError(`the ingestor ended (${code ?? signal}) before it served:\n${printed().slice(-2000)}`)))
  })
  // One that is killed on purpose has nobody waiting for its address.
  address.catch(() => {})
  return address
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024
}

async function ownMiB(pid: number): Promise<number> {
  const sums = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  return [...sums.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce((sum, [, kilobytes]) => sum + Number(kilobytes), 0) / 1024
}
