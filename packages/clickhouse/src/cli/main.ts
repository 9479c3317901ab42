#!/usr/bin/env node
import { runCli } from './run-cli.ts'

const stop = new AbortController()
// The first signal ends what is under way and lets it clean up; whoever sends another one does not want to wait for that.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => {
    if (stop.signal.aborted) process.exit(130)
    stop.abort(name)
  })
// Whoever reads has enough, as `head` has: no failure to report.
process.stdout.on('error', () => process.exit(141))

void runCli({
  args: process.argv.slice(2),
  signal: stop.signal,
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
}).then((code) => {
  process.exitCode = code
})
