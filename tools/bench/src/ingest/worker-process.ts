import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { OperationError } from '@smart-whale/interfaces'

/** A program that says `ready`, takes numbers of events from its standard input, a line each, and says `done` when they are stored. */
export interface WorkerProgram {
  readonly command: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** One consumer in a process of its own: what it costs, and the memory that it takes, are nobody else's. */
export interface WorkerProcess {
  readonly pid: number
  consume(events: number): Promise<void>
  /** The most memory that it had so far, in bytes; null where the system does not tell. */
  peakMemory(): Promise<number | null>
  stop(): Promise<void>
}

/** Starts a worker; resolves when it is ready. */
export async function startWorker({ command, args, environment }: WorkerProgram): Promise<WorkerProcess> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: environment })
  const ended = once(child, 'exit')
  ended.catch(() => {})
  const { pid } = child
  if (pid === undefined) throw new OperationError(`${command} could not be started`)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<void> => {
    const { done } = await lines.next()
    if (done === true) throw new OperationError(`${command} ended; what it printed says why`)
  }
  await answer()
  return {
    pid,
    consume: async (events) => {
      child.stdin.write(`${events}\n`)
      await answer()
    },
    peakMemory: async () => {
      const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
      const kilobytes = /VmHWM:\s+(\d+)/.exec(status)?.[1]
      return kilobytes === undefined ? null : Number(kilobytes) * 1024
    },
    stop: async () => {
      child.stdin.end()
      await ended
    },
  }
}
