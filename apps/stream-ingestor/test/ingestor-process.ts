import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { COMPILED_PROGRAMS } from '../../../tools/engines/compiled-programs.ts'
import { CONTAINER_ARGUMENTS, CONTAINER_ENVIRONMENT } from '../../../tools/engines/container-flags.ts'

/** An ingestor as a process of its own, started as in production. */
export interface IngestorProcess {
  readonly pid: number
  /** Resolves with its address once it serves; rejects when it ends before. */
  readonly serving: Promise<string>
  /** Resolves when it has ended; the code is null after a signal that it did not handle. */
  readonly exited: Promise<number | null>
  kill(signal: NodeJS.Signals): void
  /** What it wrote so far. */
  output(): string
}

const MAIN = join(import.meta.dirname, '../src/main.ts')

/** Starts a command of the ingestor, with the flags that its container has. */
export function startCommand(args: readonly string[], environment: Readonly<Record<string, string>>): IngestorProcess {
  const child: ChildProcess = spawn(process.execPath, ['--conditions=@smart-whale/source', ...CONTAINER_ARGUMENTS, MAIN, ...args], { env: { PATH: process.env.PATH, ...CONTAINER_ENVIRONMENT, PORT: '0', LOG_LEVEL: 'info', ...COMPILED_PROGRAMS, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  const serving = new Promise<string>((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      printed += chunk
      const address = /"address":"(http:[^"]+)"/.exec(printed)?.[1]
      if (address !== undefined) resolve(address)
    }
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
    void exited.then((code) => reject(new TypeError(`the ingestor ended with ${code}:\n${printed}`)))
  })
  serving.catch(() => {})
  return { pid: child.pid ?? -1, serving, exited, kill: (signal) => void child.kill(signal), output: () => printed }
}

/** Runs a command to its end. */
export async function runCommand(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> {
  const command = startCommand(args, { LOG_LEVEL: 'silent', ...environment })
  return { code: await command.exited, output: command.output() }
}

/** Waits until the process is ready: its pipelines have joined their groups. */
export async function ready(process: IngestorProcess, deadlineMs = 60_000): Promise<string> {
  const address = await process.serving
  const end = performance.now() + deadlineMs
  for (;;) {
    const response = await fetch(`${address}/health/ready`).catch(() => null)
    if (response?.status === 200) return address
    if (performance.now() > end) throw new TypeError(`not ready within ${deadlineMs} ms: ${response === null ? 'no answer' : await response.text()}\n${process.output().slice(-2000)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The status that a balancer sees: 200 as long as the worker is ready. */
export async function readiness(address: string): Promise<number> {
  return (await fetch(`${address}/health/ready`)).status
}

/** Memory of a process that it shares with nobody, in MiB; null where the system doesn't tell. */
export async function privateMemoryMb(pid: number): Promise<number | null> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => null)
  if (rollup === null) return null
  const kb = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].reduce((sum, match) => sum + Number(match[1]), 0)
  return kb / 1024
}
