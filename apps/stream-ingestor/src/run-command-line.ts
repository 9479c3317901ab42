import { runCommands } from '@smart-whale/app-process'
import { CLI } from './cli.ts'
import { processEnvironment } from './config.ts'

/** Runs the command that the arguments name, and answers the exit code. */
export function runCommandLine(args: readonly string[], signal: AbortSignal): Promise<number> {
  return runCommands(CLI, { args, environment: processEnvironment(), signal })
}
