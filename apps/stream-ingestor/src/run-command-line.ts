import { runCommands } from '@smart-whale/app-process'
import { CLI } from './cli.ts'
import { processEnvironment } from './config.ts'

/** Longer than a stop of `run` may take: what still goes on then waits for something that never comes. */
const LAST_DEADLINE_MS = 12_000

/** Runs the command that the arguments name, and answers the exit code. */
export function runCommandLine(args: readonly string[], signal: AbortSignal): Promise<number> {
  signal.addEventListener('abort', () => setTimeout(() => process.exit(1), LAST_DEADLINE_MS).unref(), { once: true })
  return runCommands(CLI, { args, environment: processEnvironment(), signal })
}
