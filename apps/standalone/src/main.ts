import { InfrastructureError } from '@smart-whale/interfaces'
import { HELP, readConfig } from './config.ts'
import { runStandalone } from './run-standalone.ts'

/** One line for what the user can mend; the stack only for what nobody foresaw. */
function explain(error: unknown): string {
  if (InfrastructureError.isInstance(error)) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

try {
  const config = readConfig()
  if (config.help) process.stdout.write(`${HELP}\n`)
  else process.exitCode = await runStandalone(config)
} catch (error) {
  process.stderr.write(`smart-whale: ${explain(error)}\n`)
  process.exitCode = 1
}
