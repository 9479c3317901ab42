import { stopSignal } from '@smart-whale/app-process/stop-signal'

// Before anything else is loaded: a Ctrl-C in the first second is a stop as well, and not a crash.
const stop = stopSignal()
const { explainEnd } = await import('./explain-end.ts')
try {
  const { HELP, readConfig } = await import('./config.ts')
  const config = readConfig()
  if (config.help) process.stdout.write(`${HELP}\n`)
  else {
    // Only now: a wrong option or a look at the help shouldn't wait for everything that a run needs.
    const { runStandalone } = await import('./run-standalone.ts')
    process.exitCode = await runStandalone(config, stop)
  }
} catch (error) {
  process.stderr.write(explainEnd(error))
  process.exitCode = 1
} finally {
  stop.dispose()
}
