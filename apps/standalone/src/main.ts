import { InfrastructureError } from '@smart-whale/interfaces'
import { HELP, readConfig } from './config.ts'

/** One line for what the user can mend; the stack only for what nobody foresaw. */
function explain(error: unknown): string {
  if (InfrastructureError.isInstance(error)) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

try {
  const config = readConfig()
  if (config.help) process.stdout.write(`${HELP}\n`)
  else {
    // Loaded only now: a wrong option or a look at the help shouldn't wait for everything that a run needs.
    const { runStandalone } = await import('./run-standalone.ts')
    process.exitCode = await runStandalone(config)
  }
} catch (error) {
  process.stderr.write(`smart-whale: ${explain(error)}\n`)
  process.exitCode = 1
}
