import { spawn } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from '@smart-whale/interfaces'
import type { ServerExit } from './start-options.ts'

const MAX_LAST_WORDS = 16 * 1024

/** The child process that is the server. */
export interface ServerProcess {
  readonly pid: number
  readonly exited: Promise<ServerExit>
  /** How it ended, or `undefined` while it lives. */
  exit(): ServerExit | undefined
  /** Ends it at once. Nothing that it acknowledged is lost. */
  kill(): Promise<void>
}

/** Starts the child. It ends by itself when this process does: its pipes close then. */
export function spawnServer(libraryPath: string, configFile: string, logger: Logger): ServerProcess {
  // An environment of its own: no NODE_OPTIONS of ours (a debugger's port, say), and UTC.
  const child = spawn(process.execPath, [childScript(), libraryPath, configFile], { stdio: ['pipe', 'ignore', 'pipe', 'pipe'], env: { TZ: 'UTC' } })
  // The server waits on the first, its process on the second; nothing is ever written to either.
  for (const pipe of [child.stdin, child.stdio[3]]) pipe?.on('error', () => {})

  let lastWords = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-MAX_LAST_WORDS)
    logger.warn({ server: 'clickhouse', output: text.trimEnd() }, 'the embedded ClickHouse wrote to standard error')
  })

  let exit: ServerExit | undefined
  const exited = new Promise<ServerExit>((resolve) => {
    const settle = (code: number | null, signal: NodeJS.Signals | null): void => {
      exit ??= { code, signal, lastWords }
      resolve(exit)
    }
    child.once('close', settle)
    child.once('error', (error) => {
      lastWords += error.message
      settle(null, null)
    })
  })

  return {
    pid: child.pid ?? -1,
    exited,
    exit: () => exit,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** The script lies beside this file: as a source, or in the build's own module format. */
function childScript(): string {
  return fileURLToPath(new URL(`./embedded-child${extname(fileURLToPath(import.meta.url))}`, import.meta.url))
}
