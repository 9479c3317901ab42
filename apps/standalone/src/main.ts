import { explainFailure } from '@smart-whale/app-process'
import { HELP, readConfig } from './config.ts'

try {
  const config = readConfig()
  if (config.help) process.stdout.write(`${HELP}\n`)
  else {
    // Loaded only now: a wrong option or a look at the help shouldn't wait for everything that a run needs.
    const { runStandalone } = await import('./run-standalone.ts')
    process.exitCode = await runStandalone(config)
  }
} catch (error) {
  process.stderr.write(`smart-whale: ${explainFailure(error)}\n`)
  process.exitCode = 1
}
